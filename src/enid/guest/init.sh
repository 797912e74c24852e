# The init of a sandbox: the shell the image has anyway, running this. Standard input is a FIFO the agent writes a line
# to once the interfaces are plugged and configured; output is the console log.

umask 022
cd /
seed=/var/lib/cloud/instance

say() {
	echo "enid: $*"
}

# Asked to stop (TERM from the agent or from root inside): everybody gets TERM and time; the agent kills what is left.
halt() {
	trap '' TERM INT
	say "stopping"
	kill -s TERM -- -1 2>/dev/null
	looks=0
	while kill -s 0 -- -1 2>/dev/null; do
		sleep 0.05
		looks=$((looks + 1))
		[ $looks != 20 ] || kill -s HUP -- -1 2>/dev/null # interactive shells ignore the first
	done
	exit 0
}
trap halt TERM

start_sshd() {
	[ -s /root/.ssh/authorized_keys ] || return 0
	[ -x /usr/sbin/sshd ] || { say "there is a key pair, but this host has no sshd to show"; return 0; }
	key=/etc/ssh/ssh_host_ed25519_key
	[ -e "$key" ] || ssh-keygen -q -t ed25519 -N '' -C "" -f "$key" </dev/null || return 0
	/usr/sbin/sshd || say "sshd did not start"
}

# As cloud-init does: once in the life of the disk, marked before it runs.
run_user_data() {
	data=$seed/user-data.txt
	mark=$seed/sem/config_scripts_user
	[ -s "$data" ] && [ ! -e "$mark" ] || return 0
	mkdir -p "$seed/sem" "$seed/scripts"
	: >"$mark"
	first=
	IFS= read -r first <"$data"
	case "$first" in
	'#!'*) ;;
	'#cloud-config'*)
		say "user data begins with #cloud-config, which enid does not understand: use a script that begins with #!"
		return 0
		;;
	*)
		say "user data was not run: it does not begin with #!"
		return 0
		;;
	esac
	script=$seed/scripts/part-001
	cp "$data" "$script"
	chmod 700 "$script"
	logged run_and_tell "$script"
}

run_and_tell() {
	"$1"
	say "user data ended with status $?"
}

# As cloud-init does: at every boot, in the order of their names.
run_per_boot() {
	for script in /var/lib/cloud/scripts/per-boot/*; do
		[ -f "$script" ] && [ -x "$script" ] && "$script"
	done
}

logged() {
	"$@" </dev/null 2>&1 | (
		trap '' TERM # it outlives those whose last words it carries
		exec tee -a /var/log/cloud-init-output.log
	) &
}

read -r go || exit 1
exec </dev/null
read -r name </proc/sys/kernel/hostname
say "$name boots"
start_sshd
[ ! -d /var/lib/cloud/scripts/per-boot ] || logged run_per_boot
run_user_data

# Reap orphans for ever. A shell waits only while it has a child of its own, hence one that never ends by itself.
while :; do
	(
		trap - TERM
		read -r never <>/run/initctl
	) &
	wait
done
