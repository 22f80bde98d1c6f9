"""Rate limits and allowances, exact under any concurrency."""
