"""`python -m services.operator_console [serve]`."""

from libs.process import run_process
from services.operator_console.app import build
from services.operator_console.config import OperatorConsoleSettings

if __name__ == "__main__":
    run_process("operator_console", OperatorConsoleSettings, build)
