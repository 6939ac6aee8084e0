/** The statuses of a withdrawal schedule. */

export const SCHEDULE_STATUSES = ['active', 'paused', 'ended', 'removed'] as const

/** `ended`: its last firing is over. `removed`: a person removed it, and the history remains. */
export type ScheduleStatus = (typeof SCHEDULE_STATUSES)[number]
