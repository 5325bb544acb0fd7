"""`python -m services.telephony [serve | migrate]`."""

from libs.process import run_process
from services.telephony.app import MIGRATIONS, build
from services.telephony.config import TelephonySettings

if __name__ == "__main__":
    run_process("telephony", TelephonySettings, build, MIGRATIONS)
