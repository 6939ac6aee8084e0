/** Holds the data of each type of event, in each version, against its schema and against what was published. */

import { describe, expect, test } from 'vitest'
import { EVENT_TYPES } from '../../domain/events/event.js'
import {
  NEWEST_SCHEMA_VERSION,
  SCHEMA_VERSIONS,
  toSchemaVersion,
} from '../../domain/events/schema-version.js'
import { EVENT_DATA } from '../../wire/event.js'
import { EVENT_DATA_IN } from '../../wire/event-versions.js'
import { WebhookEndpoint } from '../../wire/webhook-endpoint.js'
import { fieldsOf, sampleOf } from '../stage/json-schema.js'

const older = SCHEMA_VERSIONS.filter((version) => version !== NEWEST_SCHEMA_VERSION)

describe.each(SCHEMA_VERSIONS)('the version %s', (version) => {
  test.each(EVENT_TYPES)('of %s has exactly the fields of its schema', (type) => {
    for (const full of [true, false]) {
      const data = sampleOf(EVENT_DATA[type], full) as Record<string, unknown>
      expect(EVENT_DATA[type].parse(data)).toEqual(data)
      const before = JSON.stringify(data)
      const written = toSchemaVersion(type, data, NEWEST_SCHEMA_VERSION, version)
      expect(EVENT_DATA_IN[version][type].parse(written)).toEqual(written)
      expect(JSON.stringify(data)).toBe(before)
      expect(JSON.stringify(toSchemaVersion(type, written, version, version))).toBe(JSON.stringify(written))
    }
  })

  test('is one that an endpoint can have', () => {
    expect(WebhookEndpoint.shape.schema_version.parse(version)).toBe(version)
  })
})

describe.each(older)('the version %s', (version) => {
  test.each(EVENT_TYPES)('of %s is as it was published', async (type) => {
    const fields = fieldsOf(EVENT_DATA_IN[version][type])
    await expect(`${fields.join('\n')}\n`).toMatchFileSnapshot(`./event-versions/${version}/${type}.txt`)
  })
})

test('each version differs from the one before', () => {
  for (const [index, version] of older.entries()) {
    const next = SCHEMA_VERSIONS[index + 1] ?? NEWEST_SCHEMA_VERSION
    const changed = EVENT_TYPES.filter(
      (type) => fieldsOf(EVENT_DATA_IN[version][type]).join() !== fieldsOf(EVENT_DATA_IN[next][type]).join(),
    )
    expect(changed).not.toEqual([])
  }
})

test('a balance without an address has an empty one in the first version', () => {
  const data = { address_id: null, address: null, transfer_id: 'trf_1', funds: [] }
  expect(toSchemaVersion('balance.updated', data, '2026-11-28', '2026-11-01')).toEqual({
    address_id: '',
    address: '',
    funds: [],
  })
})

test('the newest version leaves data as it is', () => {
  const data = { id: 'dep_1', decision: null }
  expect(toSchemaVersion('deposit.status_changed', data, '2026-11-28', '2026-11-28')).toBe(data)
  expect(toSchemaVersion('deposit.status_changed', data, '2026-11-28', '2026-11-01')).toEqual({ id: 'dep_1' })
})

test('the reason of a pause is left out of what a payout waits for before the third version', () => {
  const waiting = {
    code: 'SETTLEMENT_PAUSED',
    message: 'Settlement is paused',
    since: '2026-11-29T10:00:00.000Z',
  }
  const data = { id: 'withdrawal_1', waiting: { ...waiting, reason: 'a drill' }, amount: '1' }
  expect(toSchemaVersion('withdrawal.status_changed', data, '2026-11-29', '2026-11-28')).toEqual({
    ...data,
    waiting,
  })
})
