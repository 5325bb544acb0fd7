"""The wallet's rules: values, the commands that change them, and one pure decision."""
