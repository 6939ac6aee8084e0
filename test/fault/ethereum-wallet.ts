/** A stranger's wallet on the Ethereum chain of a stack whose node is killed. */

import { setTimeout as sleep } from 'node:timers/promises'
import { type Abi, type Address, encodeFunctionData, getContractAddress, type Hex, keccak256 } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { z } from 'zod'
import { jsonRpc } from '../../local/parts/json-rpc.js'
import { repeatUntilStopped } from './repeat-until-stopped.js'

/**
 * Price far above what a block of a local chain asks for, so that no transaction waits for a lower base fee.
 */
const MAX_FEE = 100_000_000_000n
const TIP = 1_000_000_000n
/** Limit that fits every transaction. A block has room for few of them, however little they use. */
const GAS = 1_500_000n
/** Transactions without a block that one check looks at. */
const CHECKED = 50

const quantity = z.string().transform(BigInt)

export interface EthereumWallet {
  readonly address: Address
  /**
   * Signs with the next nonce, and sends the bytes again until a block holds them, also after a
   * reorganisation.
   */
  send(transaction: {
    readonly to?: Address
    readonly value?: bigint
    readonly data?: Hex
    /** Limit of its gas. Default: one that fits every transaction. */
    readonly gas?: bigint
  }): Promise<Hex>
  /** Sends a contract, as `send` does. @returns The address that the contract has once it is mined. */
  deploy(bytecode: Hex): Promise<Address>
  call(to: Address, abi: Abi, functionName: string, args: readonly unknown[], value?: bigint): Promise<Hex>
  /** Waits until every transaction is in a block. @throws Error when one failed there. */
  mined(): Promise<void>
  /** Returns how often the wallet sent bytes again. */
  resent(): number
  stop(): Promise<void>
}

/** Opens a wallet with one key that no transaction has used yet. */
export function createEthereumWallet(rpc: string, chainId: number, privateKey: Hex): EthereumWallet {
  const account = privateKeyToAccount(privateKey)
  /** By nonce. One that is not signed yet is missing. */
  const sent: ({ readonly hash: Hex; readonly raw: Hex } | undefined)[] = []
  let resent = 0
  let nonce = 0

  async function isMined(hash: Hex): Promise<boolean> {
    const receipt = z
      .object({ status: quantity })
      .nullable()
      .parse(await jsonRpc(rpc, 'eth_getTransactionReceipt', [hash]))
    if (receipt?.status === 0n) throw new Error(`${hash} failed on the chain`)
    return receipt !== null
  }

  /**
   * Sends bytes. The node may be dead, may have them already, or may forget them, so its answer is not read.
   */
  const submit = (raw: Hex) => jsonRpc(rpc, 'eth_sendRawTransaction', [raw]).catch(() => null)

  /** Returns the number of transactions in blocks. It falls when a reorganisation takes some back. */
  const countMined = async () =>
    Number(await jsonRpc(rpc, 'eth_getTransactionCount', [account.address, 'latest']))

  /** Looks at the next ones that no block holds. Each of them is mined before those after it. */
  async function check(): Promise<void> {
    const mined = await countMined()
    for (const each of sent.slice(mined, mined + CHECKED)) {
      if (!each) continue
      const { hash, raw } = each
      const known = await jsonRpc(rpc, 'eth_getTransactionByHash', [hash])
      if (known !== null) continue
      resent += 1
      await submit(raw)
    }
  }

  const checking = repeatUntilStopped(check)

  const wallet: EthereumWallet = {
    address: account.address,
    async send({ to, value = 0n, data, gas = GAS }) {
      const own = nonce++
      const raw = await account.signTransaction({
        type: 'eip1559',
        chainId,
        nonce: own,
        gas,
        maxFeePerGas: MAX_FEE,
        maxPriorityFeePerGas: TIP,
        value,
        ...(to === undefined ? {} : { to }),
        ...(data === undefined ? {} : { data }),
      })
      const hash = keccak256(raw)
      sent[own] = { hash, raw }
      await submit(raw)
      return hash
    },
    async deploy(bytecode) {
      const address = getContractAddress({ from: account.address, nonce: BigInt(nonce) })
      await wallet.send({ data: bytecode })
      return address
    },
    call: (to, abi, functionName, args, value = 0n) =>
      wallet.send({ to, value, data: encodeFunctionData({ abi, functionName, args }) }),
    async mined() {
      while ((await countMined()) < nonce) await sleep(100)
      for (const each of sent) while (each && !(await isMined(each.hash))) await sleep(100)
    },
    resent: () => resent,
    stop: () => checking.stop(),
  }
  return wallet
}
