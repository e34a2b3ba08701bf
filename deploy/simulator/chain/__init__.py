"""The simulated chain: ledgers, transactions, fees, accounts, and their XDR."""
