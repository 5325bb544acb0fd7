"""`python -m services.wallet [serve | migrate]`."""

from libs.process import run_process
from services.wallet.app import MIGRATIONS, build
from services.wallet.config import WalletSettings

if __name__ == "__main__":
    run_process("wallet", WalletSettings, build, MIGRATIONS)
