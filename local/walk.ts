/** The main job once, on the local chains, as a merchant, its users and its approvers see it: over HTTP only. */

import { randomBytes, sign } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { z } from 'zod'
import type { ExportedXpub } from '../client/check-address.js'
import { type Client, createClient } from '../client/create-client.js'
import { approvalMessage } from '../domain/approval.js'
import { intentHash } from '../domain/intent.js'
import { formatAmount, parseAmount } from '../domain/money.js'
import { createBitcoinFaucet, faucetKey, privateKeyOf, REGTEST } from './parts/bitcoin-faucet.js'
import type { Say } from './parts/find-executable.js'
import { jsonRpc } from './parts/json-rpc.js'
import { LITECOIN_REGTEST } from './parts/litecoin.js'
import { evmClients, USDT_ABI } from './parts/usdt.js'
import type { StackFile } from './stack/stack-file.js'

const TIMEOUT_MS = 90_000
const POLL_MS = 100

const received = z.array(z.object({ raw_body: z.string(), verified: z.boolean() }))
const webhook = z.object({ event: z.string(), data: z.record(z.string(), z.unknown()) })

interface Flow {
  readonly network: 'ethereum' | 'bitcoin' | 'litecoin' | 'polygon'
  readonly coin: 'eth' | 'usdt' | 'btc' | 'ltc' | 'usdc'
  readonly decimals: number
  /** Whole coins. */
  readonly deposited: string
  readonly withdrawn: string
  /** Pays base units from the faucet. @returns The transaction's hash. */
  pay(address: string, amount: bigint): Promise<string>
  /** What a stranger's address holds on chain, in base units. */
  holds(address: string): Promise<bigint>
  /** An address that nobody used. */
  stranger(): string
}

/**
 * Deposits of each coin to addresses of a user, credited and told to the merchant; then a withdrawal of each, approved by two
 * people, signed by the customer's signer, confirmed on chain. Each step is a line.
 *
 * @param xpubs - What the customer's signer exported: every address that the API gives is derived from it anew.
 * @returns Whether every step succeeded; the first failure of a coin ends that coin's steps.
 */
export async function walk(stack: StackFile, xpubs: readonly ExportedXpub[], say: Say): Promise<boolean> {
  const client = clientOf(stack.api, stack.merchant, xpubs)
  const user = `user-${randomBytes(3).toString('hex')}`
  say(`Walking the main job as ${user} of merchant ${stack.merchant.id}`)
  const flows = [
    ...ethereumFlows(stack),
    ...polygonFlows(stack),
    ...bitcoinFlows(stack),
    ...litecoinFlows(stack),
  ]
  let passed = true
  const results = await Promise.all(
    flows.map(async (flow) => {
      const label = flow.coin.toUpperCase()
      const began = Date.now()
      let step = 'address'
      const done = (line: string) =>
        say(`ok    ${label.padEnd(4)} ${line} (${((Date.now() - began) / 1_000).toFixed(1)} s)`)
      try {
        // Throws when the address is not derived from what the signer exported.
        const address = await client.addresses.create({ user_reference: user, network: flow.network })
        done(`address ${address.address} is derived from the signer's own key (${address.derivation_path})`)

        step = 'deposit'
        const txid = await flow.pay(address.address, parseAmount(flow.deposited, flow.decimals))
        const credited = await until('the deposit is credited', async () => {
          const [found] = (await client.deposits.list({ transaction_hash: txid })).items
          return found?.status === 'success' ? found : null
        })
        done(`deposit of ${credited.amount} credited after ${credited.confirmations} confirmations (${txid})`)

        step = 'deposit webhooks'
        const told = await webhooksOf(stack, credited.id, 'deposit.status_changed', 'success')
        done(`${told} deposit webhooks received and verified`)

        step = 'withdrawal'
        const recipient = flow.stranger()
        const created = await client.withdrawals.create({
          network: flow.network,
          coin: flow.coin,
          amount: flow.withdrawn,
          to_address: recipient,
          priority: 'high',
          user_reference: user,
        })
        done(`withdrawal of ${flow.withdrawn} to ${recipient} asked for (${created.id})`)

        step = 'approvals'
        const people = stack.approvers.slice(0, 2)
        for (const person of people) await approve(stack.api, person, created.id)
        done(`approved by ${people.map((person) => person.name).join(' and ')}`)

        step = 'payment'
        const confirmed = await until('the withdrawal is confirmed', async () => {
          const now = await client.withdrawals.get(created.id)
          if (now.status === 'failed' || now.status === 'cancelled')
            throw new Error(`${now.stage}: ${now.failure?.code ?? ''} ${now.failure?.message ?? ''}`)
          return now.status === 'confirmed' ? now : null
        })
        done(
          `signed by the customer's signer, confirmed (${confirmed.transaction_hash}, fee ${confirmed.fee} ${confirmed.fee_coin})`,
        )

        step = 'balances'
        const paid = await flow.holds(recipient)
        if (paid !== parseAmount(flow.withdrawn, flow.decimals))
          throw new Error(`the recipient holds ${formatAmount(paid, flow.decimals)} ${flow.coin} on chain`)
        const left = await balanceOf(client, user, flow)
        const fee = confirmed.fee_coin === flow.coin ? parseAmount(confirmed.fee, flow.decimals) : 0n
        const expected =
          parseAmount(flow.deposited, flow.decimals) - parseAmount(flow.withdrawn, flow.decimals) - fee
        if (left !== expected)
          throw new Error(
            `the user has ${formatAmount(left, flow.decimals)}, not ${formatAmount(expected, flow.decimals)}`,
          )
        const withdrawalTold = await webhooksOf(stack, created.id, 'withdrawal.status_changed', 'confirmed')
        done(
          `recipient has it on chain, the user ${formatAmount(left, flow.decimals)} left; ${withdrawalTold} withdrawal webhooks verified`,
        )
      } catch (error) {
        passed = false
        say(`FAIL  ${label.padEnd(4)} ${step}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }),
  )
  say(passed ? `All steps succeeded (${results.length} coins)` : 'The walk failed')
  return passed
}

/** Prints where everything is. */
export function printUrls(stack: StackFile, stackFile: string): void {
  const rows: [string, string][] = [
    ['API', `${stack.api}/api/v1`],
    ['API documentation', `${stack.api}/docs`],
    ['Temporal (every process)', stack.temporal.ui],
    ['Metrics', stack.metrics],
    ['Webhooks the sample merchant took', stack.webhook.received],
    ['Ethereum RPC', stack.networks.ethereum.rpc],
    ...rpcRow('Bitcoin RPC', stack.networks.bitcoin),
    ...rpcRow('Litecoin RPC', stack.networks.litecoin),
    ...rpcRow('Polygon RPC', stack.networks.polygon),
    ['Keys, secrets and process ids', stackFile],
    ['The signer’s log', stack.signer.log],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  console.log()
  for (const [name, value] of rows) console.log(`  ${name.padEnd(width)}  ${value}`)
  console.log()
}

/** Credentials stay in the file. */
function rpcRow(name: string, node: { readonly rpc: string } | undefined): [string, string][] {
  return node ? [[name, node.rpc.replace(/\/\/.*@/, '//')]] : []
}

function ethereumFlows(stack: StackFile): Flow[] {
  const { ethereum } = stack.networks
  const { native, token } = evmPayments(ethereum, ethereum.tokens.usdt.address)
  return [
    { network: 'ethereum', coin: 'eth', decimals: 18, deposited: '1.5', withdrawn: '0.5', ...native },
    { network: 'ethereum', coin: 'usdt', decimals: 6, deposited: '250', withdrawn: '100.5', ...token },
  ]
}

function polygonFlows(stack: StackFile): Flow[] {
  const { polygon } = stack.networks
  if (!polygon) return []
  const { token } = evmPayments(polygon, polygon.tokens.usdc.address)
  return [{ network: 'polygon', coin: 'usdc', decimals: 6, deposited: '75', withdrawn: '25.25', ...token }]
}

type Payments = Pick<Flow, 'pay' | 'holds' | 'stranger'>

function evmPayments(
  chain: { readonly rpc: string; readonly chain_id: number; readonly faucet_private_key: string },
  tokenAddress: string,
): { readonly native: Payments; readonly token: Payments } {
  const { wallet, reader } = evmClients(chain.rpc, chain.chain_id, chain.faucet_private_key as `0x${string}`)
  const token = tokenAddress as `0x${string}`
  const stranger = () => privateKeyToAddress(generatePrivateKey())
  // Both coins are paid by one account: one at a time, so that its nonces do not meet.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(send: () => Promise<T>): Promise<T> => {
    const sent = turn.then(send)
    turn = sent.catch(() => {})
    return sent
  }
  return {
    native: {
      pay: (address, amount) =>
        inTurn(() => wallet.sendTransaction({ to: address as `0x${string}`, value: amount })),
      holds: (address) => reader.getBalance({ address: address as `0x${string}` }),
      stranger,
    },
    token: {
      pay: (address, amount) =>
        inTurn(() =>
          wallet.writeContract({
            address: token,
            abi: USDT_ABI,
            functionName: 'transfer',
            args: [address as `0x${string}`, amount],
          }),
        ),
      holds: (address) =>
        reader.readContract({
          address: token,
          abi: USDT_ABI,
          functionName: 'balanceOf',
          args: [address as `0x${string}`],
        }),
      stranger,
    },
  }
}

function bitcoinFlows(stack: StackFile): Flow[] {
  const { bitcoin } = stack.networks
  if (!bitcoin) return []
  const payments = utxoPayments(bitcoin, REGTEST)
  return [{ network: 'bitcoin', coin: 'btc', decimals: 8, deposited: '0.25', withdrawn: '0.1', ...payments }]
}

function litecoinFlows(stack: StackFile): Flow[] {
  const { litecoin } = stack.networks
  if (!litecoin) return []
  const payments = utxoPayments(litecoin, LITECOIN_REGTEST)
  return [{ network: 'litecoin', coin: 'ltc', decimals: 8, deposited: '2.5', withdrawn: '1.25', ...payments }]
}

function utxoPayments(
  node: { readonly rpc: string; readonly faucet_wif: string },
  network: typeof REGTEST,
): Payments {
  const call = (method: string, ...params: unknown[]) => jsonRpc(node.rpc, method, params)
  const faucet = createBitcoinFaucet({ call }, faucetKey(privateKeyOf(node.faucet_wif), network))
  return {
    pay: (address, amount) => faucet.pay([{ address, amount }]),
    holds: (address) => receivedOnChain(call, address),
    stranger: () => faucetKey(randomBytes(32), network).address,
  }
}

/** Sums what the last blocks pay to an address; the node has no wallet to ask. */
async function receivedOnChain(
  call: (method: string, ...params: unknown[]) => Promise<unknown>,
  address: string,
): Promise<bigint> {
  const output = z.object({
    value: z.number(),
    scriptPubKey: z.object({ address: z.string().optional(), addresses: z.array(z.string()).optional() }),
  })
  const block = z.object({
    tx: z.array(z.object({ vout: z.array(output) })).optional(),
    rawtx: z.array(z.object({ vout: z.array(output) })).optional(),
  })
  const tip = z.number().parse(await call('getblockcount'))
  let total = 0n
  for (let height = tip; height > Math.max(0, tip - 60); height -= 1) {
    const { tx, rawtx } = block.parse(await call('getblock', await call('getblockhash', height), 2))
    for (const { value, scriptPubKey } of (rawtx ?? tx ?? []).flatMap((each) => each.vout)) {
      if (scriptPubKey.address === address || scriptPubKey.addresses?.includes(address))
        total += BigInt(Math.round(value * 1e8))
    }
  }
  return total
}

async function balanceOf(client: Client, user: string, flow: Flow): Promise<bigint> {
  const { items } = await client.balances.list({ user_reference: user, network: flow.network })
  const found = items.find((each) => each.coin === flow.coin)
  return parseAmount(found?.available ?? '0', flow.decimals)
}

function clientOf(
  baseUrl: string,
  key: { readonly api_key: string; readonly api_secret: string },
  xpubs?: readonly ExportedXpub[],
): Client {
  return createClient({
    baseUrl,
    apiKey: key.api_key,
    apiSecret: key.api_secret,
    ...(xpubs ? { xpubs } : {}),
  })
}

/** Approves as one of the approvers: reads the intent, hashes it anew, signs the decision. */
async function approve(
  baseUrl: string,
  approver: StackFile['approvers'][number],
  withdrawalId: string,
): Promise<void> {
  const { withdrawals } = clientOf(baseUrl, approver)
  const { intent, intent_hash } = await withdrawals.intent(withdrawalId)
  if (intentHash(intent) !== intent_hash) throw new Error('The intent is not what its hash says')
  const decision = { decision: 'approve', intent_hash, signed_at: new Date().toISOString() } as const
  const message = approvalMessage({ ...decision, approver_id: approver.id })
  const signature = sign(null, Buffer.from(message), approver.ed25519_private_key_pem).toString('base64')
  await withdrawals.decide(withdrawalId, { ...decision, signature })
}

/** Waits until the sample merchant has the last webhook of a thing. @returns How many it has of it. */
async function webhooksOf(stack: StackFile, id: string, event: string, status: string): Promise<number> {
  return until(`the webhook ${event} ${status}`, async () => {
    const response = await fetch(stack.webhook.received)
    const all = received
      .parse(await response.json())
      .map(({ raw_body, verified }) => ({ verified, ...webhook.parse(JSON.parse(raw_body)) }))
    const mine = all.filter((each) => each.event === event && each.data.id === id)
    if (mine.some((each) => !each.verified)) throw new Error('a webhook had a signature that is not valid')
    return mine.some((each) => each.data.status === status) ? mine.length : null
  })
}

async function until<T>(what: string, look: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + TIMEOUT_MS
  for (;;) {
    const found = await look()
    if (found !== null) return found
    if (Date.now() > deadline) throw new Error(`waited ${TIMEOUT_MS / 1_000} s and still not: ${what}`)
    await sleep(POLL_MS)
  }
}
