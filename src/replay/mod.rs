//! A log turned into a data set, share after share.
