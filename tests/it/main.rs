//! One integration binary: the real program, a home for each test, conditions instead of sleeps.
