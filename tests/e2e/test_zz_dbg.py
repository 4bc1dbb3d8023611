from ansible_collections.multihome.linux.tests.e2e import checks, playbooks
from ansible_collections.multihome.linux.tests.e2e.test_shapes import *
def test_dbg(shape_c):
    for how in ("carrier",):
        test_in_shape_c_a_broken_line_costs_only_itself(shape_c, how)
    done = playbooks.deploy(shape_c, "--diff")
    print(done.__dict__ if hasattr(done,'__dict__') else done)
    assert checks.nothing_changed(done) == []
