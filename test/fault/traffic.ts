/**
 * Traffic of users and approvers during the kills: forty deposits and ten withdrawals, drawn in advance so
 * that a seed repeats them.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { getAddress, type Hex } from 'viem'
import { ApiError } from '../../client/api-error.js'
import type { Client } from '../../client/create-client.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import { USDT_ABI } from '../../local/parts/usdt.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { compileLab } from '../chains/evm/compile-lab.js'
import { approve } from './approve.js'
import { type BitcoinWallet, createBitcoinWallet } from './bitcoin-wallet.js'
import { COINS, type CoinName, freshRecipient } from './coins.js'
import { createEthereumWallet, type EthereumWallet } from './ethereum-wallet.js'
import type { Random } from './random.js'
import { addressBook, fundWithTokens, openClient, untilAvailable, WALLET_KEY } from './users.js'

export interface SentDeposit {
  readonly user: string
  readonly coin: CoinName
  readonly txid: string
  readonly address: string
  /** Base units. */
  readonly amount: bigint
}

export interface RequestedWithdrawal {
  readonly id: string
  readonly user: string
  readonly coin: CoinName
  readonly amount: bigint
  readonly recipient: string
}

export interface Traffic {
  readonly client: Client
  /** Sends the deposits, one transaction after the other. */
  sendDeposits(): Promise<SentDeposit[]>
  /** Requests the withdrawals as soon as their users have the money, and approves each as two people. */
  withdraw(): Promise<RequestedWithdrawal[]>
  /** Returns how often a wallet sent bytes again. */
  resent(): number
  stop(): Promise<void>
}

const USERS = ['user-1', 'user-2', 'user-3', 'user-4', 'user-5'] as const
/** Highest fee of a withdrawal, in whole native coins (`networks.yml`). */
const MOST_FEE = { eth: '0.05', btc: '0.01', usdt: '0' } as const

/**
 * Prepares wallets and a contract that pays several users at once. No process is killed before this is done.
 */
export async function createTraffic(stack: StackFile, random: Random): Promise<Traffic> {
  const { ethereum, bitcoin } = stack.networks
  if (!bitcoin) throw new Error('There is no Bitcoin node')
  const client = openClient(stack)
  const usdt = getAddress(ethereum.tokens.usdt.address)
  const lab = compileLab().TransferLab
  if (!lab) throw new Error('The lab was not compiled')
  const wallets = {
    ethereum: createEthereumWallet(ethereum.rpc, ethereum.chain_id, WALLET_KEY),
    bitcoin: createBitcoinWallet(bitcoin.rpc, bitcoin.faucet_wif),
  }
  await fundWithTokens(ethereum, usdt, wallets.ethereum.address)
  const payer = await wallets.ethereum.deploy(lab.bytecode)
  await wallets.ethereum.call(usdt, USDT_ABI, 'transfer', [payer, parseAmount('1000', 6)])
  await wallets.ethereum.mined()

  const addressOf = addressBook(client)
  const steps = planDeposits(random)
  const pauses = steps.map(() => random.between(300, 2_500))
  const plans = planWithdrawals(random)

  return {
    client,
    async sendDeposits() {
      const sent: SentDeposit[] = []
      for (const [index, step] of steps.entries()) {
        const parts = await Promise.all(
          step.parts.map(async (part) => ({
            ...part,
            coin: step.coin,
            address: await addressOf(part.user, COINS[step.coin].network),
          })),
        )
        const txid = await pay(wallets, { usdt, payer, abi: lab.abi }, step, parts)
        sent.push(...parts.map((part) => ({ ...part, txid })))
        await sleep(pauses[index])
      }
      return sent
    },
    withdraw: () => Promise.all(plans.map((plan) => withdraw(stack, client, plan))),
    resent: () => wallets.ethereum.resent() + wallets.bitcoin.resent(),
    async stop() {
      await Promise.all([wallets.ethereum.stop(), wallets.bitcoin.stop()])
    },
  }
}

/** One transaction. With `contract`, a contract pays all its parts. */
interface DepositStep {
  readonly coin: CoinName
  readonly contract: boolean
  readonly parts: readonly { readonly user: string; readonly amount: bigint }[]
}

/**
 * Plans forty deposits in twenty-eight transactions. The first of them give each user of `planWithdrawals`
 * the money.
 */
function planDeposits(random: Random): DepositStep[] {
  const user = (index: number) => USERS[index % USERS.length] as string
  const units = (coin: CoinName, least: string, most: string) => {
    const { decimals } = COINS[coin]
    // An amount that no other draw repeats, so that a test can distinguish two transfers.
    const scale = 10n ** BigInt(Math.max(0, decimals - 6))
    const [from, to] = [least, most].map((text) => Number(parseAmount(text, decimals) / scale))
    return BigInt(random.between(from ?? 0, to ?? 0)) * scale + BigInt(random.between(0, 9_999))
  }
  const one = (coin: CoinName, index: number, least: string, most: string): DepositStep => ({
    coin,
    contract: false,
    parts: [{ user: user(index), amount: units(coin, least, most) }],
  })
  const first = USERS.flatMap((_, index) => [
    one('eth', index, '0.5', '2'),
    one('usdt', index, '50', '500'),
    one('btc', index, '0.05', '0.5'),
  ])
  const rest = [
    ...[0, 1, 2].map((index) => one('eth', index, '0.01', '1')),
    ...[1, 2, 3, 4].map((index) => one('usdt', index, '1', '100')),
    one('btc', 3, '0.001', '0.1'),
    // Internal transfers of 1, 2 and 3 wei, the first and the last to one address.
    {
      coin: 'eth',
      contract: true,
      parts: [
        { user: user(0), amount: 1n },
        { user: user(1), amount: 2n },
        { user: user(0), amount: 3n },
      ],
    },
    {
      coin: 'usdt',
      contract: true,
      parts: [
        { user: user(4), amount: units('usdt', '1', '50') },
        { user: user(4), amount: units('usdt', '1', '50') },
      ],
    },
    ...[0, 1, 2].map(
      (index): DepositStep => ({
        coin: 'btc',
        contract: false,
        parts: [index, index + 1, index, index + 3].map((each) => ({
          user: user(each),
          amount: units('btc', '0.001', '0.1'),
        })),
      }),
    ),
  ] satisfies DepositStep[]
  return [...random.shuffled(first), ...random.shuffled(rest)]
}

async function pay(
  wallets: { readonly ethereum: EthereumWallet; readonly bitcoin: BitcoinWallet },
  contracts: { readonly usdt: Hex; readonly payer: Hex; readonly abi: Parameters<EthereumWallet['call']>[1] },
  { coin, contract }: DepositStep,
  parts: readonly { readonly address: string; readonly amount: bigint }[],
): Promise<string> {
  const [first, second] = parts
  if (!first) throw new Error('A transaction has no recipient')
  if (coin === 'btc') return wallets.bitcoin.pay(parts)
  const to = getAddress(first.address)
  const { ethereum } = wallets
  if (coin === 'eth') {
    if (!contract || !second) return ethereum.send({ to, value: first.amount })
    return ethereum.call(contracts.payer, contracts.abi, 'payThree', [to, getAddress(second.address)], 6n)
  }
  if (!contract || !second) return ethereum.call(contracts.usdt, USDT_ABI, 'transfer', [to, first.amount])
  const args = [contracts.usdt, to, first.amount, second.amount]
  return ethereum.call(contracts.payer, contracts.abi, 'payTokens', args)
}

interface WithdrawalPlan {
  readonly user: string
  readonly coin: CoinName
  readonly amount: bigint
  readonly recipient: string
  readonly afterMs: number
  /** Pauses before the two approvals, in milliseconds. */
  readonly thinkMs: readonly [number, number]
}

/** Plans four withdrawals of ETH, three of USDT and three of BTC. No user withdraws the same coin twice. */
function planWithdrawals(random: Random): WithdrawalPlan[] {
  const coins: CoinName[] = ['eth', 'eth', 'eth', 'eth', 'usdt', 'usdt', 'usdt', 'btc', 'btc', 'btc']
  const amounts = { eth: ['0.1', '0.3'], usdt: ['5', '40'], btc: ['0.005', '0.02'] } as const
  const asked: Record<CoinName, number> = { eth: 0, usdt: 0, btc: 0 }
  return coins.map((coin) => {
    const { decimals } = COINS[coin]
    const [least, most] = amounts[coin].map((text) =>
      Number(parseAmount(text, decimals) / 10n ** BigInt(decimals - 6)),
    )
    return {
      user: USERS[asked[coin]++] as string,
      coin,
      amount: BigInt(random.between(least ?? 0, most ?? 0)) * 10n ** BigInt(decimals - 6),
      recipient: freshRecipient(coin),
      afterMs: random.between(0, 45_000),
      thinkMs: [random.between(0, 2_000), random.between(0, 3_000)],
    }
  })
}

async function withdraw(
  stack: StackFile,
  client: Client,
  plan: WithdrawalPlan,
): Promise<RequestedWithdrawal> {
  const { user, coin, amount, recipient } = plan
  const { network, decimals } = COINS[coin]
  await sleep(plan.afterMs)
  for (let attempt = 1; ; attempt += 1) {
    await untilAvailable(
      client,
      user,
      { network, coin, decimals },
      amount + parseAmount(MOST_FEE[coin], decimals),
    )
    const idempotencyKey = `withdrawal of ${coin} by ${user}, attempt ${attempt}`
    const request = () =>
      client.withdrawals.create(
        {
          network,
          coin,
          amount: formatAmount(amount, decimals),
          to_address: recipient,
          priority: 'high',
          user_reference: user,
        },
        { idempotencyKey },
      )
    try {
      // An impatient backend sends the same request twice at once, and each again until it has an answer.
      const [created, again] = await Promise.all([request(), request()])
      if (created.id !== again.id) throw new Error(`${idempotencyKey} made ${created.id} and ${again.id}`)
      await approve(stack, 'withdrawals', created.id, plan.thinkMs)
      return { id: created.id, user, coin, amount, recipient }
    } catch (error) {
      // A reorganisation removed the deposit between the check and the request, so the user waits for it
      // again.
      if (!(error instanceof ApiError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
    }
  }
}
