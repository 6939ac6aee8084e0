/** Declares how the data of events is written in the version before. */

import type { EventType } from '../event.js'

/** Data of an event. JSON only. */
export type VersionedData = Readonly<Record<string, unknown>>

/**
 * Conversions by type of event. Each changes what its version added or changed, and leaves everything else as
 * it is. It has no state: the same data gives the same bytes whenever it runs. A type without one has the same
 * form in both versions.
 */
export type DownConversion = Partial<Record<EventType, (data: VersionedData) => VersionedData>>
