"""The world of tests/unit/agent/world.py as a fixture."""

import pytest

from agent.contract.plan import Plan
from tests.unit.agent.world import World
from tests.unit.fake_phone import Peer


@pytest.fixture
def world(tmp_path):
    def make(the_plan: Plan, peer: Peer | None = None, steps=None, login=None) -> World:
        return World(tmp_path, the_plan, peer, steps, login)

    return make
