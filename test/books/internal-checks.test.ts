/** The ledger against itself: a busy history has no difference, and each corruption shows in its check alone. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examine } from '../../db/books/reconciliation/examine.js'
import { inTransaction, type Transaction } from '../../db/connect.js'
import { parseAddress } from '../../domain/address/parse-address.js'
import { type BooksCheckName, type Difference, INTERNAL_CHECKS } from '../../domain/books/difference.js'
import { findNetwork } from '../../domain/chain/network.js'
import type { ReconciliationRun } from '../../wire/reconciliation.js'
import { openBusyBooks } from '../stage/busy-books.js'
import type { MemoryRail } from '../stage/memory-rail.js'
import { differencesOf, reconcile } from '../stage/reconcile.js'
import { ACCOUNTS } from './corruptions/accounts.js'
import type { Corruption } from './corruptions/corruption.js'
import { DEPOSITS } from './corruptions/deposits.js'
import { JOURNALS } from './corruptions/journals.js'
import { PAYOUTS } from './corruptions/payouts.js'
import { REPORTS } from './corruptions/reports.js'

/** The internal checks, and the check of the lifecycle, which needs no orders. */
const CHECKS: readonly BooksCheckName[] = [...INTERNAL_CHECKS, 'lifecycle']

let rail: MemoryRail
let clean: ReconciliationRun
const check = (seals = true) =>
  reconcile(rail.sql, rail.stage.networks, rail.stage.api.merchantId, { scope: ['internal'], seals })

beforeAll(async () => {
  rail = await openBusyBooks()
  const gates = [{ gate: 'shipped', satisfied_by: ['confirmed'], stuck_after: '1h' }]
  const path = '/api/v1/lifecycle-mapping'
  expect((await rail.stage.api.call({ method: 'PUT', path, body: { gates } })).status).toBe(200)
  // Seals every event and audit entry, so that nothing is left to become due meanwhile.
  clean = await check()
}, 120_000)
afterAll(() => rail?.stage.close())

test('finds nothing in a busy history, of which every check examines something', () => {
  expect(differencesOf(clean)).toEqual([])
  expect(clean.status).toBe('clean')
  expect(clean.checks.map(({ name }) => name)).toEqual(INTERNAL_CHECKS)
  expect(clean.checks.filter(({ examined }) => examined === 0).map(({ name }) => name)).toEqual([])
})

describe('finds one difference, in the check that guards it, for', () => {
  const corruptions: readonly Corruption[] = [...JOURNALS, ...ACCOUNTS, ...DEPOSITS, ...PAYOUTS, ...REPORTS]

  test.each(corruptions)('$check: $name', async (corruption) => {
    const found = await findCorrupted(corruption)
    const [difference, ...others] = found.get(corruption.check) ?? []
    expect(difference).toBeDefined()
    expect(others).toEqual([])
    expect([difference?.expected, difference?.actual]).toEqual(corruption.says)
    expect(difference?.expected).not.toEqual(difference?.actual)
    found.delete(corruption.check)
    expect([...found.keys()].sort()).toEqual(Object.keys(corruption.also ?? {}).sort())
  })

  test('each check and for nothing once all of it is undone', async () => {
    expect(new Set(corruptions.map(({ check: name }) => name))).toEqual(new Set(CHECKS))
    expect(differencesOf(await check(false))).toEqual([])
  })
})

/** Thrown to take a corruption back. */
class Undone extends Error {}

/** Corrupts the books in a transaction past the triggers, as a superuser can. @returns What each check finds. */
async function findCorrupted({ corrupt }: Corruption): Promise<Map<BooksCheckName, readonly Difference[]>> {
  const { sql, stage } = rail
  const { merchantId } = stage.api
  const found = new Map<BooksCheckName, readonly Difference[]>()
  const work = async (tx: Transaction): Promise<void> => {
    await tx`SET LOCAL session_replication_role = 'replica'`
    await corrupt(tx, merchantId)
    for (const name of CHECKS) {
      const { findings } = await examine(tx, stage.networks, merchantId, name, { networks: null })
      if (findings.differenceCount > 0) found.set(name, findings.differences)
    }
    throw new Undone()
  }
  await inTransaction(sql, work).catch((error: unknown) => {
    if (!(error instanceof Undone)) throw error
  })
  return found
}

test('names what is not due yet, which is no difference', async () => {
  const { stage, model } = rail
  const { json } = await stage.api.call({
    method: 'POST',
    path: '/api/v1/addresses',
    body: { user_reference: 'fay', network: 'bitcoin' },
  })
  const payee = parseAddress(findNetwork(stage.networks, 'bitcoin'), json.data.address).payee ?? ''
  model.mine([model.transaction([{ payee, coin: 'btc', amount: 77_000_000n }])])
  await rail.scan()
  const run = await check(false)
  expect(run.status).toBe('clean')
  const expected = (name: string) => run.checks.find((each) => each.name === name)?.expected
  expect(expected('deposits')).toContainEqual({
    subject: { type: 'deposit', id: expect.stringMatching(/^dep_/) },
    network: 'bitcoin',
    coin: 'btc',
    expected: '0.77',
    actual: '0',
    reason: 'The deposit is not confirmed yet',
  })
  // Its event is not sealed, and the deliveries of all events are not started.
  expect(expected('event_sequence')).not.toEqual([])
  expect(expected('deliveries')).not.toEqual([])
  expect(expected('audit_log')).not.toEqual([])
})
