// The addresses of a run's network, drawn in cell.mjs.
export const VIPS = { 4: '10.96.0.100', 6: '2001:db8:96::100' };
export const BACKEND = '10.96.0.20';
/** The service whose connections are counted over a planned handover. */
export const TCP_PORT = 7000;
/** The plain echo on either node. */
export const PROBE_PORT = 9000;
