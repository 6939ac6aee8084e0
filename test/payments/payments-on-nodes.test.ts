/** Payments on real nodes, as payers really pay them: Anvil with USDT, and btcd. The test takes the watcher's steps. */

import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionSerializable } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findOvertaken } from '../../activities/chain/find-overtaken.js'
import { liveCheckouts } from '../../api/checkout/checkout.js'
import { createApp } from '../../api/create-app.js'
import { listen } from '../../api/http/listen.js'
import type { ChainAdapter, EvmAdapter } from '../../chains/adapter.js'
import { createAdapter } from '../../chains/create-adapter.js'
import { rememberCoins } from '../../db/chain/remember-coins.js'
import { findNetwork, type Networks } from '../../domain/chain/network.js'
import { parseAmount } from '../../domain/money.js'
import { type BitcoinFaucet, createBitcoinFaucet } from '../../local/parts/bitcoin-faucet.js'
import { evmClients } from '../../local/parts/usdt.js'
import type { Payment } from '../../wire/payment.js'
import { scan, settle } from '../stage/deposit-steps.js'
import { expirePayment } from '../stage/payments.js'
import { startTestApi, type TestApi } from '../stage/test-api.js'
import { testNetworks } from '../stage/test-networks.js'
import { testAnvil } from '../support/anvil.js'
import { testBtcd } from '../support/btcd.js'
import { testChromium } from '../support/chromium.js'
import { testUsdt } from '../support/usdt.js'

type Hex = `0x${string}`

/** Whole coins of the native coin for an address. */
interface Wanted {
  readonly address: string
  readonly amount: string
}

/** A real chain that mines when it is asked to. */
interface Chain {
  readonly networks: Networks
  readonly coins: readonly string[]
  /** Sends whole coins from the faucet, into the mempool. */
  pay(address: string, amount: string, coin: string): Promise<void>
  /**
   * Prepares two transactions of which only one can be mined: the second takes the place of the first in the
   * mempool.
   */
  rivals(first: Wanted, second: Wanted): Promise<{ sendFirst(): Promise<void>; sendSecond(): Promise<void> }>
  mine(blocks: number): Promise<void>
  /** Removes the newest blocks. Their transactions are mined again by the next block. */
  reorganise(depth: number): Promise<void>
  stop(): Promise<void>
}

async function openEthereum(): Promise<Chain> {
  const anvil = await testAnvil()
  const usdt = await testUsdt(anvil)
  await anvil.call('evm_setAutomine', false)
  const networks = testNetworks({
    ETHEREUM_ENABLED: 'true',
    ETHEREUM_RPC: anvil.rpc,
    ETHEREUM_USDT: usdt.address,
  })
  const { wallet } = evmClients(anvil.rpc, anvil.chainId, anvil.faucetPrivateKey)
  const sent: Hex[] = []
  /** Signs a payment. @param fees - Multiple of the usual fees. */
  const sign = async ({ address, amount }: Wanted, fees = 1n, nonce?: number) => {
    const request = await wallet.prepareTransactionRequest({
      to: address as Hex,
      value: parseAmount(amount, 18),
      account: wallet.account,
      chain: wallet.chain,
      ...(nonce === undefined ? {} : { nonce }),
    })
    const { maxFeePerGas = 0n, maxPriorityFeePerGas = 0n } = request
    const priced = {
      ...request,
      maxFeePerGas: maxFeePerGas * fees,
      maxPriorityFeePerGas: maxPriorityFeePerGas * fees,
    }
    return {
      nonce: request.nonce,
      raw: await wallet.account.signTransaction(priced as TransactionSerializable),
    }
  }
  const send = async (raw: Hex) => {
    await anvil.call('eth_sendRawTransaction', raw)
  }
  return {
    networks,
    coins: ['eth', 'usdt'],
    async pay(address, amount, coin) {
      if (coin === 'usdt') {
        await usdt.transfer(address as Hex, parseAmount(amount, 6))
        return
      }
      const { raw } = await sign({ address, amount })
      await send(raw)
      sent.push(raw)
    },
    async rivals(first, second) {
      const { raw, nonce } = await sign(first)
      const rival = await sign(second, 3n, nonce)
      return { sendFirst: () => send(raw), sendSecond: () => send(rival.raw) }
    },
    mine: (blocks) => anvil.mine(blocks),
    async reorganise(depth) {
      // Anvil forgets the transactions of the old blocks, so the payer's wallet sends them again.
      await anvil.call('anvil_reorg', depth, [])
      for (const raw of sent) await anvil.call('eth_sendRawTransaction', raw).catch(() => {})
    },
    stop: () => anvil.stop(),
  }
}

async function openBitcoin(): Promise<Chain> {
  const node = await testBtcd()
  return {
    networks: testNetworks({ BITCOIN_ENABLED: 'true', BITCOIN_RPC: node.rpc }),
    coins: ['btc'],
    async pay(address, amount) {
      await node.fund(address, parseAmount(amount, 8))
    },
    async rivals(first, second) {
      // Both choose the oldest coin, because they do not see what the mempool spends.
      const blind = {
        call: (method: string, ...params: unknown[]) =>
          node.call(method, ...(method === 'gettxout' ? params.slice(0, 2) : params)),
      } as Pick<typeof node, 'call'>
      const faucets = [1, 2].map(() => createBitcoinFaucet(blind, node.faucet))
      const pay = (faucet: BitcoinFaucet | undefined, wanted: Wanted, feeRate: number) => async () => {
        await faucet?.pay([{ address: wanted.address, amount: parseAmount(wanted.amount, 8) }], feeRate)
      }
      return { sendFirst: pay(faucets[0], first, 5), sendSecond: pay(faucets[1], second, 50) }
    },
    async mine(blocks) {
      await node.mine(blocks)
    },
    async reorganise(depth) {
      const tip = Number(await node.call('getblockcount'))
      await node.call('invalidateblock', await node.call('getblockhash', tip - depth + 1))
      for (const deadline = Date.now() + 20_000; Number(await node.call('getblockcount')) <= tip; ) {
        try {
          await node.mine(1)
        } catch (error) {
          // A block made within the same second can be the one that was invalidated.
          if (Date.now() > deadline) throw error
          await sleep(200)
        }
      }
    },
    stop: () => node.stop(),
  }
}

describe.each([
  ['ethereum', openEthereum],
  ['bitcoin', openBitcoin],
] as const)('on a real %s node', (name, open) => {
  let chain: Chain
  let api: TestApi
  let adapter: ChainAdapter
  let coin: string

  beforeAll(async () => {
    chain = await open()
    coin = chain.coins[0] ?? ''
    api = await startTestApi({}, { networks: chain.networks })
    await api.enrol(api.merchantId)
    await rememberCoins(api.database.sql, chain.networks)
    adapter = createAdapter(findNetwork(chain.networks, name))
    await scan(api.database.sql, adapter)
  }, 120_000)
  afterAll(async () => {
    await adapter?.close()
    await chain?.stop()
    await api?.database.drop()
  })

  const request = async (fields: Record<string, unknown> = {}): Promise<Payment> => {
    const body = { user_reference: 'payer', network: name, coin, amount: '0.5', ...fields }
    const { json } = await api.call({ method: 'POST', path: '/api/v1/payments', body })
    expect(json).toMatchObject({ success: true })
    return json.data
  }
  const read = async ({ payment_id }: Payment): Promise<Payment> =>
    (await api.call({ path: `/api/v1/payments/${payment_id}` })).json.data
  const look = () => scan(api.database.sql, adapter)
  /** Mines, follows the chain, and credits what is deep enough. */
  const mine = async (blocks: number) => {
    await chain.mine(blocks)
    await look()
    await settle(api.database.sql, chain.networks)
  }
  const expire = ({ payment_id }: Payment) => expirePayment(api.database.sql, payment_id)

  test('confirms what was paid exactly, from the mempool on', async () => {
    const payment = await request()
    await chain.pay(payment.address, '0.5', coin)
    await look()
    expect(await read(payment)).toMatchObject({ status: 'paid', amount_detected: '0.5', flags: [] })
    await mine(3)
    expect(await read(payment)).toMatchObject({ status: 'confirmed', amount_confirmed: '0.5', flags: [] })
  })

  test('takes a part and its rest, too much, and the same payment twice', async () => {
    const [parts, over, twice] = await Promise.all([request(), request(), request()])
    await chain.pay(parts.address, '0.2', coin)
    await chain.pay(over.address, '0.6', coin)
    await chain.pay(twice.address, '0.5', coin)
    await look()
    expect(await read(parts)).toMatchObject({ status: 'pending', flags: ['underpaid'], amount_due: '0.3' })
    await mine(1)
    await chain.pay(parts.address, '0.3', coin)
    await chain.pay(twice.address, '0.5', coin)
    await mine(3)
    expect(await read(parts)).toMatchObject({ status: 'confirmed', flags: ['multiple_deposits'] })
    expect(await read(over)).toMatchObject({ status: 'confirmed', flags: ['overpaid'] })
    expect(await read(twice)).toMatchObject({ status: 'confirmed', flags: ['overpaid', 'multiple_deposits'] })
  })

  test('accepts what an exchange deducted, and credits what came late', async () => {
    const deducted = await request({ tolerance: { percent: '1' } })
    const late = await request()
    await chain.pay(deducted.address, '0.495', coin)
    await expire(late)
    await chain.pay(late.address, '0.5', coin)
    await mine(3)
    expect(await read(deducted)).toMatchObject({ status: 'confirmed', flags: [], amount_due: '0' })
    expect(await read(late)).toMatchObject({ status: 'expired', flags: ['late'], amount_confirmed: '0.5' })
  })

  test('goes back and forward with a reorg, before and after it is confirmed', async () => {
    const payment = await request()
    await chain.pay(payment.address, '0.5', coin)
    await mine(1)
    expect(await read(payment)).toMatchObject({ status: 'paid' })
    await chain.reorganise(1)
    await mine(3)
    expect(await read(payment)).toMatchObject({ status: 'confirmed', flags: [] })
    const { json } = await api.call({ path: `/api/v1/deposits?payment_id=${payment.payment_id}` })
    await chain.reorganise(json.data[0].confirmations)
    await look()
    expect((await read(payment)).flags).toEqual(['reorged'])
    await mine(3)
    const done = await read(payment)
    expect(done).toMatchObject({ status: 'confirmed', flags: ['reorged'], amount_confirmed: '0.5' })
    expect(done.history.map(({ cause }) => cause.kind)).toContain('reorg')
    if (name === 'ethereum') await findOvertaken(api.database.sql, adapter as EvmAdapter)
    expect(await read(payment)).toEqual(done)
  })

  test('takes back what another transaction replaced, and expires when its time is over', async () => {
    const payment = await request()
    const other = await request()
    const { sendFirst, sendSecond } = await chain.rivals(
      { address: payment.address, amount: '0.5' },
      { address: other.address, amount: '0.4' },
    )
    await sendFirst()
    await look()
    expect(await read(payment)).toMatchObject({ status: 'paid' })
    await expire(payment)
    expect(await read(payment)).toMatchObject({ status: 'paid' })
    await sendSecond()
    await look()
    await mine(3)
    if (name === 'ethereum') {
      // A nonce is overtaken only once the node says so several times.
      for (let time = 0; time < 3; time++) await findOvertaken(api.database.sql, adapter as EvmAdapter)
    }
    expect(await read(payment)).toMatchObject({ status: 'expired', amount_detected: '0' })
    expect(await read(other)).toMatchObject({ status: 'pending', flags: ['underpaid'] })
  })

  test('shows it on a page that a real browser has open, from its first part to its end', async () => {
    const live = liveCheckouts(api.dependencies)
    const server = await listen(createApp(api.dependencies, { live }), { host: '127.0.0.1', port: 0 })
    const browser = await testChromium()
    try {
      const payment = await request({ order_id: 'from the browser' })
      const page = await browser.newPage()
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      await page.goto(origin + new URL(payment.checkout_url).pathname)
      await page.getByText(`Pay 0.5 ${coin.toUpperCase()}`).first().waitFor()
      await expect.poll(() => live.count()).toBe(1)
      await chain.pay(payment.address, '0.2', coin)
      await look()
      await page.getByText(`Pay the remaining 0.3 ${coin.toUpperCase()}`).first().waitFor()
      await chain.pay(payment.address, '0.3', coin)
      await look()
      await page.getByRole('heading', { name: 'Your payment was seen' }).waitFor()
      await mine(3)
      await page.getByText(`0.5 ${coin.toUpperCase()} has arrived. Thank you.`).waitFor()
    } finally {
      await browser.close()
      await live.close()
      server.closeAllConnections()
      server.close()
    }
  }, 60_000)

  if (name !== 'ethereum') return
  test('counts a token, and flags the coin that came in its place', async () => {
    const payment = await request({ coin: 'usdt', amount: '25' })
    await chain.pay(payment.address, '0.01', 'eth')
    await mine(3)
    expect(await read(payment)).toMatchObject({
      status: 'pending',
      flags: ['wrong_coin'],
      deposits: [{ coin: 'eth', amount: '0.01', status: 'success' }],
    })
    await chain.pay(payment.address, '25', 'usdt')
    await mine(3)
    expect(await read(payment)).toMatchObject({ status: 'confirmed', amount_confirmed: '25' })
  })
})
