"""Fees on cancelling: what a tariff makes of counts of orders, cancels and trades. All pure."""
