import os

import pytest

from reasoner.errors import SandboxError
from reasoner.sandboxes.walls import walls
from reasoner.types import Limits


def test_without_a_cgroup_processes_and_address_space_together_stay_below_half_the_memory():
    limits = Limits(memory=1 << 28)
    sizes = walls(limits, bounded=False, own_users=True)
    half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    assert sizes.user_pids * limits.memory <= half
    assert sizes.nodes < sizes.user_pids


def test_too_large_a_call_is_refused_where_nothing_bounds_it():
    with pytest.raises(SandboxError, match="without a cgroup"):
        walls(Limits(memory=1 << 44), bounded=False, own_users=True)


def test_a_world_holds_its_files_besides_the_memory_of_its_calls():
    sizes = walls(Limits(), bounded=True, own_users=False)
    assert sizes.memory > 2 * Limits().memory + sizes.slots + sizes.scratch + sizes.store
    assert sizes.user_pids == 0
