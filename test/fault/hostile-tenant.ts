/** A hostile tenant beside an honest one, with its own money, approvers and webhook endpoints. */

import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { getAddress } from 'viem'
import { z } from 'zod'
import { ApiError } from '../../client/api-error.js'
import { createClient } from '../../client/create-client.js'
import { createApiKey } from '../../db/access/create-api-key.js'
import type { Sql } from '../../db/connect.js'
import { createApprover } from '../../db/merchants/create-approver.js'
import { createPerson } from '../../db/merchants/create-person.js'
import { parseAmount } from '../../domain/money.js'
import type { StackFile } from '../../local/stack/stack-file.js'
import { compileLab } from '../chains/evm/compile-lab.js'
import { approve, PATIENT } from './approve.js'
import type { BitcoinWallet } from './bitcoin-wallet.js'
import type { EthereumWallet } from './ethereum-wallet.js'
import { type HostileAnswer, hostileRequests, nuisances } from './hostile-requests.js'

export interface HostileTenant {
  /** Sends every hostile request once, then the nuisances again and again until `until` aborts. */
  attack(until: AbortSignal): Promise<void>
  /** All answers of the API. */
  readonly answers: readonly HostileAnswer[]
  /** Cancels every withdrawal and batch that can be cancelled, so that nothing is held. */
  giveUp(): Promise<void>
  close(): Promise<void>
}

const USER = 'mallory'
const DUST_OUTPUTS = 25
const DUST_SATOSHIS = 600n
const DUST_CALLS = 3
const PAUSE_MS = 30
/** Pause before it begins again. */
const BREATH_MS = 5_000
const RAW_KEY_BYTES = 32
const secrets = z.object({ master_key: z.string() })

/** Prepares the tenant: approvers, contracts, endpoints that hang, and money in its hot wallet. */
export async function createHostileTenant(
  facts: StackFile,
  home: string,
  sql: Sql,
  wallets: { readonly ethereum: EthereumWallet; readonly bitcoin: BitcoinWallet | undefined },
): Promise<HostileTenant> {
  const key = facts.other_merchant
  const client = createClient({
    baseUrl: facts.api,
    apiKey: key.api_key,
    apiSecret: key.api_secret,
    ...PATIENT,
  })
  const { master_key: masterKey } = secrets.parse(JSON.parse(readFileSync(join(home, 'state.json'), 'utf8')))
  const approvers = await Promise.all(
    ['Mallory', 'Trudy'].map((name) => makeApprover(sql, masterKey, key.id, name)),
  )
  const lab = compileLab()
  const { TransferLab: pays, LyingToken: unpayable } = lab
  if (!pays || !unpayable) throw new Error('The lab was not compiled')
  const { ethereum, bitcoin } = wallets
  const [payer, refuser] = [await ethereum.deploy(pays.bytecode), await ethereum.deploy(unpayable.bytecode)]
  const { items } = await client.wallets.list()
  const wallet = items.find((each) => each.network === 'ethereum' && each.kind === 'hot')?.address ?? ''
  // The tenant's payouts spend this.
  await ethereum.send({ to: getAddress(wallet), value: parseAmount('2', 18) })
  await ethereum.mined()
  const evm = (await client.addresses.create({ user_reference: USER, network: 'ethereum' })).address
  const callers = new Set<Socket>()
  // A server that takes connections and never answers.
  const silent = createServer((socket) => {
    callers.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const answers: HostileAnswer[] = []

  /** Deposits money for the attack, and many of the smallest amounts. */
  async function deposit(): Promise<void> {
    const to = getAddress(evm)
    await ethereum.send({ to, value: parseAmount('1', 18) })
    for (let index = 0; index < DUST_CALLS; index += 1) {
      await ethereum.call(payer, pays?.abi ?? [], 'payThree', [to, to], 6n)
    }
    if (!bitcoin) return
    const { address } = await client.addresses.create({ user_reference: USER, network: 'bitcoin' })
    const dust = Array.from({ length: DUST_OUTPUTS }, () => ({ address, amount: DUST_SATOSHIS }))
    await bitcoin.pay([...dust, { address, amount: parseAmount('0.05', 8) }])
  }

  /** Requests withdrawals that two people approve and that the chain reverts or no signer signs. */
  async function withdraw(): Promise<void> {
    for (const to_address of [refuser, getAddress(`0x${'11'.repeat(20)}`)]) {
      const made = await untilFunded(() =>
        client.withdrawals.create({
          network: 'ethereum',
          coin: 'eth',
          amount: '0.001',
          to_address,
          user_reference: USER,
        }),
      )
      await approve({ ...facts, approvers }, 'withdrawals', made.id, [0, 0])
    }
  }

  return {
    answers,
    async attack(until) {
      const silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/silent`
      await client.webhookEndpoints.create({
        url: 'http://127.0.0.1:1/dead',
        event_types: ['deposit.status_changed'],
      })
      await client.webhookEndpoints.create({ url: silentUrl, event_types: ['withdrawal.status_changed'] })
      const transfers = Promise.all([deposit(), withdraw()])
      const addresses = {
        user: USER,
        evm: getAddress(`0x${'22'.repeat(20)}`),
        wallet,
        token: facts.networks.ethereum.tokens.usdt.address,
      }
      const keep = async (each: AsyncGenerator<HostileAnswer>) => {
        for await (const answer of each) {
          answers.push(answer)
          await sleep(PAUSE_MS)
        }
      }
      await keep(hostileRequests(facts.api, key, addresses))
      do {
        await keep(nuisances(facts.api, key, USER))
        await sleep(BREATH_MS, undefined, { signal: until }).catch(() => {})
      } while (!until.aborted)
      await transfers
    },
    async giveUp() {
      for (;;) {
        const { items: waiting } = await client.withdrawals.list({ status: 'pending', limit: 100 })
        const batches = await client.batches.list({ limit: 100 })
        const open = batches.items.filter(({ status }) => status === 'pending')
        if (waiting.length + open.length === 0) return
        for (const { id } of waiting) await unlessDecided(() => client.withdrawals.cancel(id))
        for (const { id } of open) await unlessDecided(() => client.batches.cancel(id))
      }
    },
    async close() {
      for (const caller of callers) caller.destroy()
      await new Promise((resolve) => silent.close(resolve))
    },
  }
}

async function makeApprover(
  sql: Sql,
  masterKey: string,
  merchantId: string,
  name: string,
): Promise<StackFile['approvers'][number]> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const personId = await createPerson(sql, { merchantId, name })
  const id = await createApprover(sql, {
    merchantId,
    personId,
    ed25519PublicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-RAW_KEY_BYTES),
  })
  const apiKey = await createApiKey(sql, masterKey, {
    merchantId,
    personId,
    name,
    scopes: ['read', 'withdrawals', 'approvals', 'policy'],
    ipAllowlist: ['127.0.0.0/8', '::1/128'],
  })
  return {
    id,
    person_id: personId,
    name,
    api_key: apiKey.id,
    api_secret: apiKey.secret,
    ed25519_private_key_pem: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  }
}

/** Repeats a request until the tenant's deposit is credited. */
async function untilFunded<T>(request: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await request()
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'INSUFFICIENT_BALANCE') throw error
      await sleep(1_000)
    }
  }
}

/** Ignores an error of the API that says that people or a workflow decided first. */
async function unlessDecided(act: () => Promise<unknown>): Promise<void> {
  await act().catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.status >= 500) throw error
  })
}
