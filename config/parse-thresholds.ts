/** Parses the amounts from which a payout is large. */

/** Amount of one network's coin, in whole coins. */
export interface Threshold {
  readonly network: string
  readonly coin: string
  readonly amount: string
}

/** Parses `ethereum.usdt=10000,bitcoin.btc=1`. @throws Error that shows the expected form. */
export function parseThresholds(text: string): Threshold[] {
  const items = text.split(',').map((item) => item.trim())
  return items.filter(Boolean).map((item) => {
    const [, network, coin, amount] = /^([a-z0-9-]+)\.([a-z0-9-]+)=(\d+(?:\.\d+)?)$/.exec(item) ?? []
    if (network === undefined || coin === undefined || amount === undefined) {
      throw new Error(`"${item}" is not a threshold. Write, for example, ethereum.usdt=10000`)
    }
    return { network, coin, amount }
  })
}
