/** Lists the priorities of a payout: how much fee it offers for a place in the next blocks. */

export const PRIORITIES = ['low', 'normal', 'high', 'urgent'] as const
export type Priority = (typeof PRIORITIES)[number]
