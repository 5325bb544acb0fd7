"""Becomes another program: as another user, and only for as long as its starter lives.

Usage: become.py STARTER_PROCESS_ID USER_ID GROUP_ID PROGRAM [ARGUMENT...]

A program of its own, because code between fork and exec may deadlock in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(starter_process_id: str, user_id: str, group_id: str, *command: str) -> None:
    if os.geteuid() == 0:
        become_user(int(user_id), int(group_id))
    if sys.platform == "linux":
        die_with_starter(int(starter_process_id))
    os.execv(command[0], command)


def become_user(user_id: int, group_id: int) -> None:
    os.setgroups([])
    os.setgid(group_id)
    os.setuid(user_id)


def die_with_starter(starter_process_id: int) -> None:
    """Asks Linux for a SIGINT at the starter's death; a change of user would undo it if later."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != starter_process_id:
        sys.exit("The starter died first.")


if __name__ == "__main__":
    main(*sys.argv[1:])
