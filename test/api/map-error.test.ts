import { expect, test } from 'vitest'
import { toKeyturnError } from '../../api/map-error.js'
import { freshDatabase } from '../support/database.js'

test('who loses a deadlock is told to send it again, not that something broke', async () => {
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
