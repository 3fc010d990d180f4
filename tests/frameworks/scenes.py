"""Scenes of a script as processes of their own: forks of one that has imported the framework and trained nothing."""

from __future__ import annotations

import json
import os
import sys


def in_its_own_process(*scenes: str) -> str:
    """The scene that this process is for. The first one only starts them in turn, tells how they ended, and ends."""
    codes = {}
    for scene in scenes:
        sys.stdout.flush()
        child = os.fork()
        if not child:
            return scene
        codes[scene] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps({"codes": codes}))
    sys.exit(0)
