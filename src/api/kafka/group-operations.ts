/** What may be done with a group, as responses tell it when they are asked to: everybody may do everything. */

/** A bit for each: read 3, delete 6, describe 8, describe configs 10, alter configs 11. */
export const GROUP_OPERATIONS = 0b1101_0100_1000;
export const OPERATIONS_NOT_ASKED: number = -(2 ** 31);
