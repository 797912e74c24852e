"""The one truth: tables, transactions, ids, address allocation, the change journal, and the agent's status writes."""
