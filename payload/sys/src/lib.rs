//! The only unsafe code of Mule.
