/** Litecoin on its own node: deposits, withdrawals by the real signer, reorganisations and dust. */

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { parseAmount } from '../../domain/money.js'
import { faucetKey } from '../../local/parts/bitcoin-faucet.js'
import { LITECOIN_REGTEST } from '../../local/parts/litecoin.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { type MinedRail, openMinedRail } from '../stage/open-rail.js'
import { addressOf, availableTo, creditDeposits, onChain, payOut, untilDeposit } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'
import { type TestLitecoin, testLitecoind } from '../support/litecoind.js'

let rail: MinedRail<TestLitecoin>
let node: TestLitecoin
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openMinedRail({
    start: testLitecoind,
    // The entry that ships with the product, with the address of this node.
    networks: ({ rpc }) =>
      loadNetworks(undefined, {
        ETHEREUM_ENABLED: 'false',
        BITCOIN_ENABLED: 'false',
        LITECOIN_ENABLED: 'true',
        LITECOIN_RPC_URLS: rpc,
        LITECOIN_POLL_INTERVAL: '100ms',
      }),
    blockMs: 300,
  })
  ;({ node, stage } = rail)
  adapter = stage.adapters.get('litecoin') as UtxoAdapter
  stage.signer.run(realSigner(stage))
})
afterAll(() => rail?.close())

const stranger = () => faucetKey(randomBytes(32), LITECOIN_REGTEST).address

test('uses the chain that the configuration names', async () => {
  const genesis = await adapter.hashAt(0)
  expect(adapter.network.caip2).toBe(`bip122:${genesis?.slice(0, 32)}`)
  expect(await node.call('getnetworkinfo')).toMatchObject({
    subversion: expect.stringContaining('LitecoinCore'),
  })
})

test('detects a deposit in the mempool, reverts it after a reorg, and credits it when it is mined again', async () => {
  const address = await addressOf(stage, 'litecoin', 'anna')
  expect(address).toMatch(/^rltc1q/)
  const txid = await node.fund(address, parseAmount('3', 8))
  const detected = await untilDeposit(stage, txid, (deposit) => deposit.status === 'detected')
  expect(detected).toMatchObject({ amount: '3', coin: 'ltc', required_confirmations: 3 })

  const [first] = await node.mine(1)
  await untilDeposit(
    stage,
    txid,
    (deposit) => deposit.status === 'unconfirmed' && deposit.block_hash === first,
  )
  await node.call('invalidateblock', first)
  // The test mines blocks without the mempool’s transactions until the new branch is the longer one.
  for (let i = 0; i < 2; i += 1) await node.call('generateblock', node.faucet.address, [])
  await untilDeposit(
    stage,
    txid,
    (deposit) => deposit.block_hash === null && deposit.status !== 'unconfirmed',
  )
  expect(await availableTo(stage, 'litecoin', 'ltc', 'anna')).toBe('0')

  const [again] = await node.mine(1)
  await untilDeposit(
    stage,
    txid,
    (deposit) => deposit.status === 'unconfirmed' && deposit.block_hash === again,
  )
  await node.mine(2)
  expect((await creditDeposits(stage, txid)).amount).toBe('3')
  expect(await availableTo(stage, 'litecoin', 'ltc', 'anna')).toBe('3')
})

test('builds, signs by the signer’s own code, verifies, broadcasts and confirms a withdrawal', async () => {
  const recipient = stranger()
  const view = await rail.whileMining(() =>
    payOut(stage, {
      network: 'litecoin',
      coin: 'ltc',
      amount: '1.25',
      to_address: recipient,
      user_reference: 'anna',
    }),
  )
  expect(await adapter.balance(recipient, 'ltc')).toBe(parseAmount('1.25', 8))
  expect(await adapter.outcome(view.transaction_hash ?? '')).toMatchObject({
    kind: 'mined',
    fee: parseAmount(view.fee, 8),
  })
  const left = parseAmount('1.75', 8) - parseAmount(view.fee, 8)
  expect(parseAmount(await availableTo(stage, 'litecoin', 'ltc', 'anna'), 8)).toBe(left)
  const { books, chain } = await onChain(stage, 'litecoin', 'ltc')
  expect(books).toBe(chain)
  expect(books).toBe(left)
})

test('refuses addresses of Bitcoin', async () => {
  const create = (to_address: string) =>
    stage.create({ network: 'litecoin', coin: 'ltc', amount: '0.1', to_address, user_reference: 'anna' })
  for (const foreign of [
    'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080',
    '2N4Q5FhU2497BryFfUgbqkAJE87aKHUhXMp',
  ]) {
    const { status, json } = await create(foreign)
    expect([status, json.error.code]).toEqual([422, 'INVALID_ADDRESS'])
  }
})

test('treats ten times Bitcoin’s dust as dust', async () => {
  const key = faucetKey(randomBytes(32), LITECOIN_REGTEST)
  await expect(node.fund(key.address, 2_939n)).rejects.toThrow('dust')
  expect(await node.fund(key.address, 2_940n)).toMatch(/^[0-9a-f]{64}$/)
  const { status, json } = await stage.create({
    network: 'litecoin',
    coin: 'ltc',
    amount: '0.00005459',
    to_address: stranger(),
    user_reference: 'anna',
  })
  expect([status, json.error.code, json.error.details.minimum]).toEqual([422, 'INVALID_AMOUNT', '0.0000546'])
})
