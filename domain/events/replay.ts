/** Names the modes and statuses of a replay of events to a webhook endpoint. */

export const REPLAY_MODES = ['failed', 'missing', 'all'] as const
/**
 * Which events a replay sends. `failed`: those whose delivery was attempted and not accepted. `missing`: those without
 * a delivery. `all`: every one.
 */
export type ReplayMode = (typeof REPLAY_MODES)[number]

export const REPLAY_STATUSES = ['running', 'completed', 'cancelled', 'failed'] as const
/** `failed`: it cannot go on, because its endpoint was deleted. */
export type ReplayStatus = (typeof REPLAY_STATUSES)[number]
