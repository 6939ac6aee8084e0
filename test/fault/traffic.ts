/** What users and approvers do meanwhile: forty deposits and ten withdrawals, drawn in advance so that a seed repeats them. */

import { setTimeout as sleep } from 'node:timers/promises'
import { getAddress, type Hex } from 'viem'
import { ApiError } from '../../client/api-error.js'
import { type Client, createClient } from '../../client/create-client.js'
import { formatAmount, parseAmount } from '../../domain/money.js'
import { evmClients, USDT_ABI } from '../../local/parts/usdt.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { homeAt } from '../../signer/home/home.js'
import { requireSignerFile } from '../../signer/home/signer-file.js'
import { compileLab } from '../chains/evm/compile-lab.js'
import { approve, PATIENT } from './approve.js'
import { type BitcoinWallet, createBitcoinWallet } from './bitcoin-wallet.js'
import { COINS, type CoinName, freshRecipient } from './coins.js'
import { createEthereumWallet, type EthereumWallet } from './ethereum-wallet.js'
import type { Random } from './random.js'

export interface SentDeposit {
  readonly user: string
  readonly coin: CoinName
  readonly txid: string
  readonly address: string
  /** Base units. */
  readonly amount: bigint
}

export interface AskedWithdrawal {
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
  /** Asks for the withdrawals as soon as their users have the money, and has two people approve each. */
  withdraw(): Promise<AskedWithdrawal[]>
  /** How often a wallet had to send bytes once more. */
  resent(): number
  stop(): Promise<void>
}

/** Second account of Anvil's published test mnemonic. */
const WALLET_KEY: Hex = '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'
const USERS = ['user-1', 'user-2', 'user-3', 'user-4', 'user-5'] as const
/** What a withdrawal's fee may be at most, in whole native coins (`networks.yml`). */
const MOST_FEE = { eth: '0.05', btc: '0.01', usdt: '0' } as const
const POLL_MS = 300

/** Prepares wallets and a contract that pays several at once; nobody dies before this is done. */
export async function createTraffic(stack: StackFile, random: Random): Promise<Traffic> {
  const { ethereum, bitcoin } = stack.networks
  if (!bitcoin) throw new Error('There is no Bitcoin node')
  const client = createClient({
    baseUrl: stack.api,
    apiKey: stack.merchant.api_key,
    apiSecret: stack.merchant.api_secret,
    xpubs: requireSignerFile(homeAt(stack.signer.home)).xpubs,
    ...PATIENT,
  })
  const usdt = getAddress(ethereum.tokens.usdt.address)
  const lab = compileLab().TransferLab
  if (!lab) throw new Error('The lab was not compiled')
  const wallets = {
    ethereum: createEthereumWallet(ethereum.rpc, ethereum.chain_id, WALLET_KEY),
    bitcoin: createBitcoinWallet(bitcoin.rpc, bitcoin.faucet_wif),
  }
  const faucet = evmClients(ethereum.rpc, ethereum.chain_id, ethereum.faucet_private_key as Hex)
  const funded = await faucet.wallet.writeContract({
    address: usdt,
    abi: USDT_ABI,
    functionName: 'transfer',
    args: [wallets.ethereum.address, parseAmount('100000', 6)],
  })
  await faucet.reader.waitForTransactionReceipt({ hash: funded })
  const payer = await wallets.ethereum.deploy(lab.bytecode)
  await wallets.ethereum.call(usdt, USDT_ABI, 'transfer', [payer, parseAmount('1000', 6)])
  await wallets.ethereum.mined()

  /** Asked for when it is first needed, by everybody who needs it. */
  const addresses = new Map<string, Promise<string>>()
  const addressOf = (user: string, network: string): Promise<string> => {
    const key = `${user} ${network}`
    const asked =
      addresses.get(key) ??
      client.addresses
        .create({ user_reference: user, network }, { idempotencyKey: `address ${key}` })
        .then(({ address }) => address)
    addresses.set(key, asked)
    return asked
  }
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

/** One transaction; `contract` has a contract pay all parts of it. */
interface DepositStep {
  readonly coin: CoinName
  readonly contract: boolean
  readonly parts: readonly { readonly user: string; readonly amount: bigint }[]
}

/** Forty deposits in twenty-eight transactions; the first of them give each user of `planWithdrawals` the money. */
function planDeposits(random: Random): DepositStep[] {
  const user = (index: number) => USERS[index % USERS.length] as string
  const units = (coin: CoinName, least: string, most: string) => {
    const { decimals } = COINS[coin]
    // Odd amounts, so that two of them are never mistaken for each other.
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
    // Internal payments of 1, 2 and 3 wei, the first and the last to one address.
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
  if (!first) throw new Error('A transaction pays somebody')
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
  /** Before each of the two approvals. */
  readonly thinkMs: readonly [number, number]
}

/** Four of ETH, three of USDT, three of BTC; no user asks for the same coin twice. */
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

async function withdraw(stack: StackFile, client: Client, plan: WithdrawalPlan): Promise<AskedWithdrawal> {
  const { user, coin, amount, recipient } = plan
  const { network, decimals } = COINS[coin]
  await sleep(plan.afterMs)
  for (let attempt = 1; ; attempt += 1) {
    await untilAvailable(client, user, coin, amount + parseAmount(MOST_FEE[coin], decimals))
    const idempotencyKey = `withdrawal of ${coin} by ${user}, attempt ${attempt}`
    const ask = () =>
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
      // An impatient backend: the same request twice at once, and each again until there is an answer.
      const [created, again] = await Promise.all([ask(), ask()])
      if (created.id !== again.id) throw new Error(`${idempotencyKey} made ${created.id} and ${again.id}`)
      await approve(stack, 'withdrawals', created.id, plan.thinkMs)
      return { id: created.id, user, coin, amount, recipient }
    } catch (error) {
      // The chain took the deposit back between the look and the request: the user waits for it again.
      if (!(error instanceof ApiError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
    }
  }
}

async function untilAvailable(client: Client, user: string, coin: CoinName, wanted: bigint): Promise<void> {
  const { network, decimals } = COINS[coin]
  for (;;) {
    const { items } = await client.balances.list({ user_reference: user, network, coin })
    const available = items.find((each) => each.coin === coin)?.available ?? '0'
    if (!available.startsWith('-') && parseAmount(available, decimals) >= wanted) return
    await sleep(POLL_MS)
  }
}
