/** Errors of PostgreSQL become answers that callers can act on. */

import { expect, test } from 'vitest'
import { toKeyturnError } from '../../../api/http/map-error.js'
import { freshDatabase } from '../../support/database.js'

test('asks the caller who loses a deadlock to send the request again', async () => {
  const database = await freshDatabase()
  let [both, arrived] = [() => {}, 0]
  const met = new Promise<void>((resolve) => {
    both = resolve
  })
  const inOrder = (first: number, second: number) =>
    database.sql.begin(async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(${first})`
      arrived += 1
      if (arrived === 2) both()
      await met
      await tx`SELECT pg_advisory_xact_lock(${second})`
    })
  const results = await Promise.allSettled([inOrder(1, 2), inOrder(2, 1)])
  await database.drop()
  const [lost] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  expect(toKeyturnError(lost)).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE', status: 503, retryable: true })
})

test('maps a standby database and a time-out to a 503 that may be sent again', async () => {
  const database = await freshDatabase()
  const { sql } = database
  const raise = (code: string) =>
    sql.unsafe(`DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '${code}'; END $$`).then(
      () => null,
      (error: unknown) => error,
    )
  for (const code of ['25006', '55P03', '57014', '57P01', '53300', '53100', '40001']) {
    const found = toKeyturnError(await raise(code))
    expect([code, found.code, found.status, found.retryable]).toEqual([
      code,
      'DEPENDENCY_UNAVAILABLE',
      503,
      true,
    ])
  }
  const standby = await sql
    .begin('READ ONLY', (tx) => tx`CREATE TABLE t (a int)`)
    .then(
      () => null,
      (error: unknown) => error,
    )
  expect(toKeyturnError(standby)).toMatchObject({ code: 'DEPENDENCY_UNAVAILABLE' })
  await database.drop()
})

test('maps a value that PostgreSQL cannot store to a refusal of the value', async () => {
  const database = await freshDatabase()
  const { sql } = database
  const refusals = [
    [sql`SELECT (10::numeric ^ 78)::numeric(78, 0)`, 'INVALID_AMOUNT'],
    [sql`SELECT '0000-01-01'::timestamptz`, 'VALIDATION_FAILED'],
    [sql`SELECT '+010000-01-01T00:00:00Z'::timestamptz`, 'VALIDATION_FAILED'],
    [sql`SELECT 'x'::text::integer`, 'VALIDATION_FAILED'],
    [sql`SELECT ${'a\0b'}::text`, 'VALIDATION_FAILED'],
  ] as const
  for (const [query, code] of refusals) {
    const error = await query.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    expect(toKeyturnError(error)).toMatchObject({ code })
  }
  await database.drop()
})
