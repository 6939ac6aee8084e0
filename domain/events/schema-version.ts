/** Lists the versions of the data of events, and writes an event in an older one. */

import type { EventType } from './event.js'
import type { DownConversion, VersionedData } from './versions/down-conversion.js'
import { toVersion1 } from './versions/to-2026-11-01.js'
import { toVersion2 } from './versions/to-2026-11-28.js'

/** Versions of the data of events, oldest first. A version is the date from which it is the newest. */
export const SCHEMA_VERSIONS = ['2026-11-01', '2026-11-28', '2026-11-29'] as const

export type SchemaVersion = (typeof SCHEMA_VERSIONS)[number]

/** Version in which events are recorded, sealed and listed. */
export const NEWEST_SCHEMA_VERSION: SchemaVersion = '2026-11-29'

/** Conversions from each version to the one before. */
const DOWN: Readonly<Record<Exclude<SchemaVersion, '2026-11-01'>, DownConversion>> = {
  '2026-11-28': toVersion1,
  '2026-11-29': toVersion2,
}

/**
 * Writes the data of an event in an older version, one version after another.
 *
 * @param from - Version that the data has.
 * @param to - Version to write. The data stays as it is if that is `from` or newer.
 */
export function toSchemaVersion(
  type: EventType,
  data: VersionedData,
  from: SchemaVersion,
  to: SchemaVersion,
): VersionedData {
  let converted = data
  for (const version of [...SCHEMA_VERSIONS].reverse()) {
    if (version > from || version <= to || version === '2026-11-01') continue
    converted = DOWN[version][type]?.(converted) ?? converted
  }
  return converted
}

/** Returns whether a text names a version. */
export function isSchemaVersion(text: string): text is SchemaVersion {
  return (SCHEMA_VERSIONS as readonly string[]).includes(text)
}
