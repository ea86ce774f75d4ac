/** Ranges of advertise_interval, in words. RFC 9568, 5.2.7: centiseconds in 12 bits; RFC 3768, 5.3.7: seconds in 8. */

const V3 = '10ms to 40.95s in steps of 10ms';
const V2 = '1s to 255s in whole seconds';

export const V3_RANGE = `${V3} (VRRPv3 carries centiseconds in 12 bits)`;
export const V2_RANGE = `${V2} (VRRPv2 carries seconds in 8 bits)`;

/** Of both, for a hint and for the document. */
export const ADVERTISE_WORDS = `${V3_RANGE}; with version 2, ${V2_RANGE}`;
export const ADVERTISE_VALUES = `version 3: ${V3}; version 2: ${V2}`;
