/** Sets of statuses in SQL: literals that partial indexes match, and partial indexes that hold the same sets. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Queryable } from '../../db/connect.js'
import { members } from '../../db/members.js'
import { OPEN_CONTROL_CHANGES } from '../../domain/controls/control-change.js'
import {
  GONE_DEPOSITS,
  OPEN_DEPOSITS,
  PENDING_DEPOSITS,
  RESERVED_DEPOSITS,
  UNMINED_DEPOSITS,
} from '../../domain/deposits/deposit-sets.js'
import { isBatchFinal, OPEN_BATCHES } from '../../domain/payouts/batch-status.js'
import { FINAL_PAYOUTS, OPEN_PAYOUTS } from '../../domain/payouts/stage-sets.js'
import { isWithdrawalFinal, WITHDRAWAL_STAGES } from '../../domain/payouts/withdrawal-stage.js'
import { freshDatabase, type TestDatabase } from '../support/database.js'

let database: TestDatabase

beforeAll(async () => {
  database = await freshDatabase({ max: 1 })
})
afterAll(() => database?.drop())

describe('members', () => {
  it('writes the members of a set as literals, without parameters', async () => {
    const query = database.sql`SELECT 'held' IN ${members(database.sql, RESERVED_DEPOSITS)} AS is_member`
    const { string, types } = await query.describe()
    expect(string).toBe("SELECT 'held' IN ('confirmed', 'screening_requested', 'held') AS is_member")
    expect(types).toEqual([])
  })

  it('refuses names that could be anything but a status, and a set without members', () => {
    expect(() => members(database.sql, { "x'": true })).toThrow(/No SQL list/)
    expect(() => members(database.sql, { held: false })).toThrow(/No SQL list/)
  })
})

describe('sets of stages', () => {
  it('agree with the transition tables about what has ended', () => {
    for (const stage of WITHDRAWAL_STAGES) {
      expect(FINAL_PAYOUTS[stage], stage).toBe(isWithdrawalFinal(stage))
      expect(OPEN_PAYOUTS[stage], stage).toBe(!isWithdrawalFinal(stage))
    }
    for (const [stage, open] of Object.entries(OPEN_BATCHES)) {
      expect(open, stage).toBe(!isBatchFinal(stage as keyof typeof OPEN_BATCHES))
    }
  })
})

describe('partial indexes', () => {
  it.each([
    ['deposits_pending', PENDING_DEPOSITS, 'in'],
    ['deposits_reserved', RESERVED_DEPOSITS, 'in'],
    ['deposits_open', OPEN_DEPOSITS, 'in'],
    ['deposits_unmined', UNMINED_DEPOSITS, 'in'],
    ['deposits_paid_once', GONE_DEPOSITS, 'not in'],
    ['withdrawals_one_funding', FINAL_PAYOUTS, 'not in'],
    ['withdrawals_one_rebalance', FINAL_PAYOUTS, 'not in'],
    ['withdrawals_unmeasured', FINAL_PAYOUTS, 'in'],
    ['withdrawals_under_way', OPEN_PAYOUTS, 'in'],
    ['batches_open', OPEN_BATCHES, 'in'],
    ['control_changes_open', OPEN_CONTROL_CHANGES, 'in'],
  ] as const)('%s holds the same statuses as the set', async (index, set, kind) => {
    const [row] = await database.sql<{ predicate: string }[]>`
      SELECT pg_get_expr(indpred, indrelid) AS predicate FROM pg_index WHERE indexrelid = ${index}::regclass`
    const list = /(= ANY|<> ALL) \(+ARRAY\[([^\]]*)\]/.exec(row?.predicate ?? '')
    expect(list?.[1]).toBe(kind === 'in' ? '= ANY' : '<> ALL')
    const names = [...(list?.[2] ?? '').matchAll(/'(\w+)'/g)].map(([, name]) => name)
    expect(names.sort()).toEqual(
      Object.entries(set)
        .filter(([, is]) => is)
        .map(([name]) => name)
        .sort(),
    )
  })

  it.each([
    [
      'deposits_reserved',
      (sql: Queryable) => sql`
        SELECT sum(amount) FROM deposits
        WHERE address_id = ${'addr_1'} AND coin = ${'eth'} AND status IN ${members(sql, RESERVED_DEPOSITS)}`,
    ],
    [
      'deposits_open',
      (sql: Queryable) => sql`
        SELECT count(*) FROM deposits WHERE network = ${'ethereum'} AND status IN ${members(sql, OPEN_DEPOSITS)}`,
    ],
    [
      'withdrawals_unmeasured',
      (sql: Queryable) => sql`
        SELECT id FROM payouts WHERE measured_at IS NULL AND stage IN ${members(sql, FINAL_PAYOUTS)}
        ORDER BY created_at LIMIT ${10}`,
    ],
    [
      'withdrawals_under_way',
      (sql: Queryable) => sql`
        SELECT kind, stage, count(*) FROM payouts
        WHERE network = ${'ethereum'} AND coin = ${'eth'} AND stage IN ${members(sql, OPEN_PAYOUTS)} GROUP BY kind, stage`,
    ],
  ] as const)('%s serves its query, also in a plan for any parameters', async (index, query) => {
    const plan = await database.sql.begin(async (tx) => {
      await tx`SET LOCAL enable_seqscan = off`
      await tx`SET LOCAL enable_bitmapscan = off`
      await tx`SET LOCAL plan_cache_mode = force_generic_plan`
      return tx<{ 'QUERY PLAN': string }[]>`EXPLAIN ${query(tx)}`
    })
    expect(plan.map((line) => line['QUERY PLAN']).join('\n')).toContain(index)
  })
})
