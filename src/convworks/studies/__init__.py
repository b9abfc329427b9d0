"""Many runs, one question: what each step of a history, or each part of a method, does on one's own data."""
