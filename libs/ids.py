"""Ids as the contract writes them, whoever chose them."""

import re

ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
