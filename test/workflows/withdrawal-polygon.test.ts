/** A second EVM chain is an entry in the networks file: two chains side by side, real nodes, the real signer. */

import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseAmount } from '../../domain/money.js'
import { evmClients } from '../../local/parts/usdt.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { openRail, type Rail } from '../stage/open-rail.js'
import { addressOf, availableTo, creditDeposits, depositsOf, onChain, payOut } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'
import { type TestAnvil, testAnvil } from '../support/anvil.js'
import { type TestUsdt, testUsdt } from '../support/usdt.js'

let rail: Rail<Chains>
let ethereum: TestAnvil
let polygon: TestAnvil
let usdc: TestUsdt
let stage: Stage

interface Chains {
  readonly ethereum: TestAnvil
  readonly polygon: TestAnvil
  readonly usdc: TestUsdt
  stop(): Promise<void>
}

async function startChains(): Promise<Chains> {
  const [ethereum, polygon] = await Promise.all([
    testAnvil({ mining: 1 }),
    testAnvil({ mining: 1, chainId: 31_338 }),
  ])
  const stop = async () => {
    await Promise.all([ethereum.stop(), polygon.stop()])
  }
  return { ethereum, polygon, usdc: await testUsdt(polygon), stop }
}

beforeAll(async () => {
  rail = await openRail({
    start: startChains,
    // The file that ships with the product. Everything else is environment.
    networks: (chains) =>
      loadNetworks(undefined, {
        ETHEREUM_RPC_URLS: chains.ethereum.rpc,
        ETHEREUM_CONFIRMATIONS: '2',
        ETHEREUM_POLL_INTERVAL: '100ms',
        BITCOIN_ENABLED: 'false',
        POLYGON_ENABLED: 'true',
        POLYGON_RPC_URLS: chains.polygon.rpc,
        POLYGON_CHAIN_ID: '31338',
        POLYGON_CONFIRMATIONS: '2',
        POLYGON_POLL_INTERVAL: '100ms',
        POLYGON_USDC_CONTRACT: chains.usdc.address,
      }),
  })
  ;({ ethereum, polygon, usdc } = rail.node)
  stage = rail.stage
  stage.signer.run(realSigner(stage))
})
afterAll(() => rail?.close())

async function sendPol(to: string, amount: string): Promise<string> {
  const { wallet } = evmClients(polygon.rpc, polygon.chainId, polygon.faucetPrivateKey)
  return wallet.sendTransaction({ to: to as `0x${string}`, value: parseAmount(amount, 18) })
}

const stranger = () => privateKeyToAddress(generatePrivateKey())

test('lists the chain with its coins in GET /networks', async () => {
  const { json } = await stage.api.call({ path: '/api/v1/networks' })
  const found = json.data.find((each: { network: string }) => each.network === 'polygon')
  expect(found.chain_id).toBe('eip155:31338')
  expect(found.coins.map((each: { coin: string }) => each.coin)).toEqual(['pol', 'usdc'])
})

test('has no key that is an address of both chains', async () => {
  const [there, here] = [
    await addressOf(stage, 'ethereum', 'anna'),
    await addressOf(stage, 'polygon', 'anna'),
  ]
  expect(there).not.toBe(here)
  const paths = await stage.api.database.sql<{ derivation_path: string }[]>`
    SELECT DISTINCT split_part(derivation_path, '/', 3) AS derivation_path FROM addresses ORDER BY 1`
  expect(paths.map((row) => row.derivation_path)).toEqual(["60'", "966'"])
})

test('credits deposits of pol and usdc', async () => {
  const address = await addressOf(stage, 'polygon', 'anna')
  const native = await creditDeposits(stage, await sendPol(address, '2.5'))
  const token = await creditDeposits(stage, await usdc.transfer(address as `0x${string}`, 40_000_000n))
  expect([native.coin, native.amount, token.coin, token.amount]).toEqual(['pol', '2.5', 'usdc', '40'])
  expect(await availableTo(stage, 'polygon', 'pol', 'anna')).toBe('2.5')
  expect(await availableTo(stage, 'polygon', 'usdc', 'anna')).toBe('40')
})

test('pays usdc with the fee in pol, and keeps exact books', async () => {
  const hot = await stage.wallet('polygon', 'hot')
  await creditDeposits(stage, await sendPol(hot.address, '5'))
  await creditDeposits(stage, await usdc.transfer(hot.address as `0x${string}`, 100_000_000n))
  const recipient = stranger()
  const view = await payOut(stage, {
    network: 'polygon',
    coin: 'usdc',
    amount: '12.75',
    to_address: recipient,
    user_reference: 'anna',
  })
  expect(view.fee_coin).toBe('pol')
  expect(await usdc.balanceOf(recipient)).toBe(12_750_000n)
  expect(await availableTo(stage, 'polygon', 'usdc', 'anna')).toBe('27.25')
  for (const coin of ['usdc', 'pol']) {
    const { books, chain } = await onChain(stage, 'polygon', coin)
    expect(books).toBe(chain)
  }
  const own = await stage.balance('polygon', 'pol', 'available', '')
  expect(-own).toBe(parseAmount('5', 18) - parseAmount(view.fee, 18))
})

test('pays pol on polygon, of which ethereum sees nothing', async () => {
  const recipient = stranger()
  const view = await payOut(stage, {
    network: 'polygon',
    coin: 'pol',
    amount: '0.5',
    to_address: recipient,
    user_reference: 'anna',
  })
  const balance = (rpc: TestAnvil) => rpc.call('eth_getBalance', recipient, 'latest')
  expect(BigInt(String(await balance(polygon)))).toBe(parseAmount('0.5', 18))
  expect(BigInt(String(await balance(ethereum)))).toBe(0n)
  const raw = (
    await stage.api.database.sql<{ signed_transaction: string }[]>`
    SELECT signed_transaction FROM attempts WHERE txid = ${view.transaction_hash}`
  )[0]?.signed_transaction
  // The same bytes mean nothing on the other chain.
  await expect(ethereum.call('eth_sendRawTransaction', raw)).rejects.toThrow(/chain/i)
  expect(await depositsOf(stage, view.transaction_hash ?? '')).toEqual([])
})
