/** Rows of the counters that supervisor and workers share, which cannot grow: ample, and some 1.5 MiB for each worker. */
export const MAX_SERVICES = 1_024;
export const MAX_BACKENDS = 16_384;
