/**
 * Traffic of honest users while nodes misbehave: each user deposits and withdraws on every rail, and a
 * contract pays users an amount that depends on the block that mines its transaction. All of it is drawn in
 * advance, so that a seed repeats it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { getAddress } from 'viem'
import { z } from 'zod'
import { ApiError } from '../../client/api-error.js'
import type { Client } from '../../client/create-client.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import { jsonRpc } from '../../local/parts/json-rpc.js'
import { LITECOIN_REGTEST } from '../../local/parts/litecoin.js'
import { USDT_ABI } from '../../local/parts/usdt.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { compileLab } from '../chains/evm/compile-lab.js'
import { approve } from './approve.js'
import { type BitcoinWallet, createBitcoinWallet } from './bitcoin-wallet.js'
import { createEthereumWallet, type EthereumWallet } from './ethereum-wallet.js'
import { contractOf, type NetworkName, networksOf, nodeOf, RAILS, type Rail, strangerOn } from './rails.js'
import type { Random } from './random.js'
import { addressBook, fundWithTokens, openClient, untilAvailable, WALLET_KEY } from './users.js'

export interface SentDeposit {
  readonly user: string
  readonly rail: Rail
  readonly txid: string
  readonly address: string
  /** Base units. */
  readonly amount: bigint
}

export interface RequestedWithdrawal {
  readonly id: string
  readonly user: string
  readonly rail: Rail
  readonly amount: bigint
  readonly recipient: string
}

export interface PaidByBlock {
  /** Returns the deposit that the contract made in the block that its transaction is in now. */
  paid(): Promise<SentDeposit>
  /** Returns how many blocks a reorganisation must replace to remove the transaction. */
  depth(): Promise<number>
}

export interface RailTraffic {
  readonly client: Client
  readonly wallets: Readonly<Partial<Record<NetworkName, EthereumWallet | BitcoinWallet>>>
  addressOf(user: string, network: NetworkName): Promise<string>
  /** Sends the deposits, one after the other on each network. */
  deposit(): Promise<SentDeposit[]>
  /** Makes the contract pay one of two users, which the block decides. */
  payByBlock(token: boolean): Promise<PaidByBlock>
  /**
   * Requests the withdrawals as soon as their users have the money, approves each as two people, and then
   * calls `approved`.
   */
  withdraw(approved: (network: NetworkName) => void): Promise<RequestedWithdrawal[]>
  stop(): Promise<void>
}

export const USERS = ['user-1', 'user-2', 'user-3'] as const
/** Base units that `PaysByBlock` pays besides the number of the block. */
const BY_BLOCK = { eth: 10n ** 17n, usdt: 10n ** 6n } as const
const POLL_MS = 400
const receipt = z.object({ blockNumber: z.string().transform(Number) }).nullable()

/** Prepares wallets and the contract on the real nodes. */
export async function createRailTraffic(facts: StackFile, random: Random): Promise<RailTraffic> {
  const client = openClient(facts)
  const lab = compileLab().PaysByBlock
  if (!lab) throw new Error('The contract was not compiled')
  const networks = networksOf(facts)
  const evm = new Map<NetworkName, EthereumWallet>()
  const utxo = new Map<NetworkName, BitcoinWallet>()
  for (const network of networks) {
    const rpc = nodeOf(facts, network)
    if (network === 'ethereum' || network === 'polygon') {
      const { chain_id: chainId } = facts.networks[network] ?? facts.networks.ethereum
      evm.set(network, createEthereumWallet(rpc, chainId, WALLET_KEY))
    } else {
      const { faucet_wif: wif } = facts.networks[network] ?? { faucet_wif: '' }
      utxo.set(network, createBitcoinWallet(rpc, wif, ...(network === 'litecoin' ? [LITECOIN_REGTEST] : [])))
    }
  }
  const ethereum = evm.get('ethereum')
  if (!ethereum) throw new Error('The stack always has Ethereum')
  for (const rail of RAILS) {
    const wallet = rail.token === null ? undefined : evm.get(rail.network)
    const chain = rail.network === 'polygon' ? facts.networks.polygon : facts.networks.ethereum
    if (wallet && chain) await fundWithTokens(chain, contractOf(facts, rail), wallet.address)
  }
  const contract = await ethereum.deploy(lab.bytecode)
  const usdt = getAddress(facts.networks.ethereum.tokens.usdt.address)
  await ethereum.send({ to: contract, value: parseAmount('100', 18) })
  await ethereum.call(usdt, USDT_ABI, 'transfer', [contract, parseAmount('1000', 6)])
  await ethereum.mined()

  const addressOf = addressBook(client)

  async function sendDeposit({
    rail,
    user,
    amount,
  }: Pick<SentDeposit, 'rail' | 'user' | 'amount'>): Promise<SentDeposit> {
    const address = await addressOf(user, rail.network)
    const account = evm.get(rail.network)
    if (!account) {
      const txid = (await utxo.get(rail.network)?.pay([{ address, amount }])) ?? ''
      return { user, rail, txid, address, amount }
    }
    const to = getAddress(address)
    const txid =
      rail.token === null
        ? await account.send({ to, value: amount })
        : await account.call(getAddress(contractOf(facts, rail)), USDT_ABI, 'transfer', [to, amount])
    return { user, rail, txid, address, amount }
  }

  const rails = RAILS.filter((rail) => networks.includes(rail.network))
  const ins = rails.flatMap((rail) =>
    USERS.map((user) => ({
      user,
      rail,
      amount: draw(random, rail.deposit, rail.decimals),
      pauseMs: random.between(300, 2_500),
    })),
  )
  const outs = rails.flatMap((rail) =>
    USERS.slice(0, rail.token === null ? 2 : 1).map((user) => ({
      user,
      rail,
      amount: draw(random, rail.withdrawal, rail.decimals),
      recipient: strangerOn(rail.network),
      afterMs: random.between(0, 15_000),
      thinkMs: [random.between(0, 1_500), random.between(0, 2_000)] as const,
    })),
  )
  const wallets = Object.fromEntries([...evm, ...utxo])

  return {
    client,
    wallets,
    addressOf,
    async deposit() {
      const byNetwork = networks.map(async (network) => {
        const paid: SentDeposit[] = []
        for (const each of random.shuffled(ins.filter(({ rail }) => rail.network === network))) {
          paid.push(await sendDeposit(each))
          await sleep(each.pauseMs)
        }
        return paid
      })
      return (await Promise.all(byNetwork)).flat()
    },
    async payByBlock(token) {
      const rail = RAILS.find((each) => each.coin === (token ? 'usdt' : 'eth')) as Rail
      const users = [USERS[0], USERS[1]] as const
      const [even, odd] = await Promise.all(
        users.map(async (user) => getAddress(await addressOf(user, 'ethereum'))),
      )
      const txid = token
        ? await ethereum.call(contract, lab.abi, 'payToken', [usdt, even, odd])
        : await ethereum.call(contract, lab.abi, 'pay', [even, odd])
      const { rpc } = facts.networks.ethereum
      const minedIn = async (): Promise<number> => {
        for (;;) {
          const found = receipt.parse(await jsonRpc(rpc, 'eth_getTransactionReceipt', [txid]))
          if (found) return found.blockNumber
          await sleep(POLL_MS)
        }
      }
      return {
        async paid() {
          const block = await minedIn()
          const user = users[block % 2] ?? users[0]
          const amount = BY_BLOCK[token ? 'usdt' : 'eth'] + BigInt(block)
          return { user, rail, txid, address: await addressOf(user, 'ethereum'), amount }
        },
        depth: async () => Number(await jsonRpc(rpc, 'eth_blockNumber', [])) - (await minedIn()) + 1,
      }
    },
    withdraw: (approved) =>
      Promise.all(
        outs.map(async (plan) => {
          const paid = await withdraw(facts, client, plan)
          approved(plan.rail.network)
          return paid
        }),
      ),
    async stop() {
      await Promise.all([...evm.values(), ...utxo.values()].map((wallet) => wallet.stop()))
    },
  }
}

/** Draws an amount that no other draw repeats, so that a test can distinguish two transfers. */
function draw(random: Random, [least, most]: readonly [string, string], decimals: number): bigint {
  const scale = 10n ** BigInt(Math.max(0, decimals - 6))
  const [from, to] = [least, most].map((text) => Number(parseAmount(text, decimals) / scale))
  return BigInt(random.between(from ?? 0, to ?? 0)) * scale + BigInt(random.between(0, 9))
}

async function withdraw(
  facts: StackFile,
  client: Client,
  plan: Omit<RequestedWithdrawal, 'id'> & {
    readonly afterMs: number
    readonly thinkMs: readonly [number, number]
  },
): Promise<RequestedWithdrawal> {
  const { user, rail, amount, recipient } = plan
  const { network, coin, decimals, mostFee } = rail
  await sleep(plan.afterMs)
  for (let attempt = 1; ; attempt += 1) {
    await untilAvailable(client, user, rail, amount + parseAmount(mostFee, decimals))
    try {
      const created = await client.withdrawals.create(
        {
          network,
          coin,
          amount: formatAmount(amount, decimals),
          to_address: recipient,
          priority: 'high',
          user_reference: user,
        },
        { idempotencyKey: `withdrawal of ${coin} by ${user}, attempt ${attempt}` },
      )
      await approve(facts, 'withdrawals', created.id, plan.thinkMs)
      return { id: created.id, user, rail, amount, recipient }
    } catch (error) {
      // A reorganisation removed the deposit between the check and the request, so the user waits for it
      // again.
      if (!(error instanceof ApiError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
    }
  }
}
