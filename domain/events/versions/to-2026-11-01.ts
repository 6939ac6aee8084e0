/** Writes events of the version 2026-11-28 in the version 2026-11-01. */

import type { DownConversion } from './down-conversion.js'

/**
 * Leaves out what 2026-11-28 added: the decision about a held deposit, and the version in a test event. Types
 * of events that it added have one form.
 */
export const toVersion1: DownConversion = {
  'deposit.status_changed': ({ decision: _decision, ...deposit }) => deposit,
  'webhook.test': ({ schema_version: _version, ...tested }) => tested,
}
