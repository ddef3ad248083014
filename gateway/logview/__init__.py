"""The record for human eyes and for programs: names instead of numbers, filters, explanations."""
