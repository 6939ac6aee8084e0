/** The layer1 events of a whole deposit, from the mempool to the credit, against the examples of the format. */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmDeposit } from '../../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../../db/deposits/credit-deposit.js'
import { sealEvents } from '../../../../db/events/log/seal-events.js'
import { ChainModel } from '../../../stage/chain-model.js'
import { ethereum, merchantWith, networks, scan } from '../../../stage/deposit-steps.js'
import { freshDatabase, type TestDatabase } from '../../../support/database.js'

interface Body {
  readonly event: string
  readonly data: { readonly status?: string; readonly funds?: readonly { balance: string; delta: string }[] }
}

const EXAMPLES = JSON.parse(
  readFileSync(new URL('./layer1-examples.json', import.meta.url), 'utf8'),
) as Body[]

/** Order in which the examples happen, by their timestamps. */
const INDEXES = [2, 3, 4, 0, 5, 1, 6]

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
afterAll(() => database?.drop())

/** Returns the names of all fields in their order, with the JSON type of each. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.entries(value).map(([name, field]) => [name, shapeOf(field)])
}

test('has each step and both balances, with the fields of the examples', async () => {
  const { sql } = database
  const merchant = await merchantWith(sql)
  const { payee } = await merchant.address('ethereum', 'customerOne')
  const model = new ChainModel(ethereum)
  await scan(sql, model.adapter())
  model.pay({ payee, coin: 'eth', amount: 200_000_000_000_000_000n })
  await scan(sql, model.adapter())
  for (let block = 0; block < 4; block += 1) {
    model.mine()
    if (block === 0) await scan(sql, model.adapter())
  }
  await scan(sql, model.adapter())
  const [deposit] = await sql<{ id: string }[]>`SELECT id FROM deposits`
  expect(await confirmDeposit(sql, networks, deposit?.id ?? '')).toEqual({ kind: 'confirmed' })
  expect(await creditDeposit(sql, networks, deposit?.id ?? '')).toEqual({ kind: 'credited' })
  while ((await sealEvents(sql)) > 0) {}
  const rows = await sql<{ body: Buffer }[]>`
    SELECT layer1_body AS body FROM events WHERE layer1_body IS NOT NULL ORDER BY sequence`
  const bodies = rows.map(({ body }) => JSON.parse(body.toString('utf8')) as Body)
  const examples = INDEXES.map((index) => EXAMPLES[index] as Body)
  const named = ({ event, data }: Body) => [
    event,
    data.status ?? data.funds?.map((each) => [each.balance, each.delta]),
  ]
  expect(bodies.map(named)).toEqual(examples.map(named))
  expect(bodies.map(shapeOf)).toEqual(examples.map(shapeOf))
})
