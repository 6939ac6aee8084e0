/**
 * Adding a coin of the Bitcoin family takes the two entries below, which docs/operating/adding-a-network.md
 * shows. The coin is invented, and so are its prefixes. Its node is btcd, which knows only Bitcoin’s prefixes
 * and is asked about none.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { scriptOfAddress } from '../../chains/utxo/script-of-address.js'
import { parseAmount } from '../../domain/money.js'
import { createBitcoinFaucet, faucetKey, REGTEST } from '../../local/parts/bitcoin-faucet.js'
import { parseNetworks } from '../../networks/load-networks.js'
import { type MinedRail, openMinedRail } from '../stage/open-rail.js'
import { addressOf, availableTo, creditDeposits, payOut, untilDeposit } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'
import { type TestBitcoin, testBtcd } from '../support/btcd.js'

/** The example of the documentation, so that it cannot become outdated. */
const EXAMPLE = /```yaml\n(networks:\n {2}keycoin:[\s\S]*?)```/.exec(
  readFileSync(new URL('../../docs/operating/adding-a-network.md', import.meta.url), 'utf8'),
)?.[1]
/** Address parameters of the example’s regtest, as a wallet of the coin would have them. */
const KEYCOIN = { ...REGTEST, bech32: 'kcrt', pubKeyHash: 0x2d, scriptHash: 0x2e }

let rail: MinedRail<TestBitcoin>
let node: TestBitcoin
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openMinedRail({
    start: testBtcd,
    networks: ({ rpc }) => {
      if (!EXAMPLE) throw new Error('docs/operating/adding-a-network.md shows no keycoin')
      // The genesis of the example is invented. The node is Bitcoin’s regtest, and a node of another chain is
      // refused.
      const example = EXAMPLE.replace('6b6579636f696e207265677465737400', '0f9188f13cb7b2c71f2a335e3a4fc328')
      return parseNetworks(example, { KEYCOIN_CHAIN: 'regtest', KEYCOIN_RPC_URLS: rpc })
    },
    blockMs: 300,
  })
  ;({ node, stage } = rail)
  adapter = stage.adapters.get('keycoin') as UtxoAdapter
  stage.signer.run(realSigner(stage))
})
afterAll(() => rail?.close())

test('credits a deposit and pays a withdrawal in addresses with the coin’s own prefix', async () => {
  const address = await addressOf(stage, 'keycoin', 'anna')
  expect(address).toMatch(/^kcrt1q/)
  // The same coinbases, paid out by a wallet that writes addresses as the coin does.
  const faucet = createBitcoinFaucet(node, { ...faucetKey(node.faucet.privateKey, KEYCOIN) })
  const txid = await faucet.pay([{ address, amount: parseAmount('5', 8) }])
  await untilDeposit(stage, txid, (deposit) => deposit.status === 'detected' && deposit.coin === 'kyc')
  await rail.mining(true)
  await creditDeposits(stage, txid)
  expect(await availableTo(stage, 'keycoin', 'kyc', 'anna')).toBe('5')

  const recipient = faucetKey(randomBytes(32), KEYCOIN).address
  const view = await payOut(stage, {
    network: 'keycoin',
    coin: 'kyc',
    amount: '1.5',
    to_address: recipient,
    user_reference: 'anna',
  })
  expect(view.to_address).toBe(recipient)
  const outcome = await adapter.outcome(view.transaction_hash ?? '')
  if (outcome.kind !== 'mined') throw new Error(outcome.kind)
  const [block] = await adapter.blocks(outcome.block.height, outcome.block.height)
  const payee = scriptOfAddress(recipient, adapter.network).toString('hex', 2)
  expect(block?.transfers).toContainEqual(
    expect.objectContaining({ txid: view.transaction_hash, payee, amount: parseAmount('1.5', 8) }),
  )
  const left = parseAmount('3.5', 8) - parseAmount(view.fee, 8)
  expect(parseAmount(await availableTo(stage, 'keycoin', 'kyc', 'anna'), 8)).toBe(left)
})

test('refuses an address of Bitcoin', async () => {
  const { status, json } = await stage.create({
    network: 'keycoin',
    coin: 'kyc',
    amount: '0.1',
    to_address: node.faucet.address,
    user_reference: 'anna',
  })
  expect([status, json.error.code]).toEqual([422, 'INVALID_ADDRESS'])
})
