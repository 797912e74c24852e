def test_x(enid, network):
    s=""
    for w in (["ps"],["net"],["why","internet","web","tcp/80"],["why","internet","web","tcp/22"],["why","corp","eni-1","tcp/22"],["env"],["site","list"],["account","list"],["why","a","b"],["net","--dot"],["site","create","x","--public-ip","203.0.113.10"],["account","create","--json"],["exec","web","--","ls","-l"],["down"],["console","web"],["site"],["why","eni-9","web"],["why","eni-0","eni-1"]):
        r = enid(*w); s+=f"$ enid {w} -> {r.code}\n{r.out[:4500]}\nERR {r.err}\n"
    import pathlib; pathlib.Path("/tmp/try.txt").write_text(s)
