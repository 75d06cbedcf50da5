/**
 * Above it no producer id is assigned: a client made it up, or it was derived from the key of a request. Half of what a number can hold,
 * so that as many are left to assign.
 */
export const PRODUCER_ID_MAX = 2 ** 52;
