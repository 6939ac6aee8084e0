/** Open payments count what is newer than they are, also after a reorg or a pause of the watcher. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PaymentStage, startPaymentStage } from '../stage/payments.js'

describe.each(['bitcoin', 'ethereum'] as const)('on %s', (name) => {
  let stage: PaymentStage
  beforeAll(async () => {
    stage = await startPaymentStage(name)
  })
  afterAll(() => stage?.close())

  const addressOf = async (user: string, fields: object = {}): Promise<string> => {
    const { json } = await stage.api.call({
      method: 'POST',
      path: '/api/v1/addresses',
      body: { user_reference: user, network: name, ...fields },
    })
    return json.data.address
  }
  const open = (user: string) => stage.open({ user_reference: user, amount: undefined })

  test('counts a deposit in a block that a reorg put in the place of one before the payment', async () => {
    await stage.mine(3)
    const { address, payment_id } = await open('reorganised')
    stage.model.orphan(2)
    const transaction = stage.model.transaction([
      { payee: await payeeOf(stage, address), coin: stage.coin, amount: 5n * 10n ** 7n },
    ])
    stage.model.mine([transaction])
    for (let block = 0; block < 2; block++) stage.model.mine([])
    await stage.look()
    expect(await stage.read(payment_id)).toMatchObject({ status: 'paid' })
  })

  test('does not count what was mined long before it, when the watcher finds it afterwards', async () => {
    const user = 'after a pause'
    const older = Math.floor(Date.now() / 1000) - 3 * 3_600
    const address = await addressOf(user)
    const payee = await payeeOf(stage, address)
    const pay = (amount: bigint) => stage.model.transaction([{ payee, coin: stage.coin, amount }])
    // The watcher saw no head since, so that the payment knows no height of these blocks.
    stage.model.mine([pay(9n * 10n ** 7n)], older)
    stage.model.mine([], older + 60)
    const { payment_id } = await open(user)
    stage.model.mine([pay(2n * 10n ** 7n)])
    await stage.look()
    const { deposits } = await stage.read(payment_id)
    expect(deposits).toHaveLength(1)
    const listed = await stage.api.call({ path: `/api/v1/deposits?user_reference=after%20a%20pause` })
    expect(listed.json.data).toHaveLength(2)
  })

  test('counts what arrives at each address of its user, and nothing at those of payments', async () => {
    const user = 'two addresses'
    const made = await open(user)
    const second = await addressOf(user, { new: true })
    const fixed = await stage.open({ user_reference: user })
    for (const address of [made.address, second, fixed.address]) stage.send(address, '1')
    await stage.mine(1)
    expect(await stage.read(made.payment_id)).toMatchObject({ status: 'paid', amount_detected: '2' })
    expect(await stage.read(fixed.payment_id)).toMatchObject({ status: 'paid', amount_detected: '1' })
  })
})

async function payeeOf(stage: PaymentStage, address: string): Promise<string> {
  const [row] = await stage.api.database.sql<{ payee: string }[]>`
    SELECT encode(payee, 'hex') AS payee FROM addresses WHERE address = ${address}`
  return row?.payee ?? ''
}
