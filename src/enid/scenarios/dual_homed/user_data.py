"""What the servers run: a real web server with one site per address, the system's sshd, and an echo to probe.

Both servers are prepared alike, also for addresses they do not hold yet (``ip_nonlocal_bind``): that is what makes one
the other's hot standby.
"""

from __future__ import annotations

from enid.scenarios.dual_homed.plan import APPLICATIONS, ECHO, FLOATING, HTTP, Server

START = "/srv/start"
"""Starts the services; run by user data at the first boot, and by an administrator after later ones."""

_ECHO = """\
import select, socket, sys
name, sockets = sys.argv[1].encode(), []
for address in sys.argv[2:]:
    sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    sockets[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sockets[-1].bind((address, {port}))
while True:
    for ready in select.select(sockets, [], [])[0]:
        try:
            datagram, sender = ready.recvfrom(512)
            ready.sendto(datagram + name, sender)
        except OSError:
            pass
"""

_SCRIPT = """\
#!/bin/sh
set -e
cat > /srv/nginx.conf <<'END'
pid /run/nginx.pid;
events {{}}
http {{
    access_log off;
    default_type text/plain;
{sites}}}
END
cat > /srv/echo.py <<'END'
{echo}END
cat > {start} <<'END'
#!/bin/sh
echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind
/usr/sbin/nginx -e /var/log/nginx.log -c /srv/nginx.conf
exec setsid /usr/bin/python3 -I -S /srv/echo.py {name} {public} {floating} </dev/null >/dev/null 2>&1 &
END
chmod +x {start}
{start}
echo 'ListenAddress {management}' >> /etc/ssh/sshd_config
kill -HUP $(cat /run/sshd.pid)
"""


def user_data(server: Server) -> str:
    """The script a server is launched with."""
    pages = {server.public: server.name, **APPLICATIONS}
    sites = "".join(
        f'    server {{ listen {address}:{HTTP}; location / {{ return 200 "{page} on {server.name}\\n"; }} }}\n'
        for address, page in pages.items()
    )
    return _SCRIPT.format(
        sites=sites,
        echo=_ECHO.format(port=ECHO),
        start=START,
        name=server.name,
        public=server.public,
        floating=FLOATING,
        management=server.management,
    )
