/** Finds the country of a request in a MaxMind database (GeoLite2 or GeoIP2, Country or City). */

import { type CountryResponse, open } from 'maxmind'

export interface Geography {
  /** Returns the country of an IP address as ISO 3166-1 alpha-2. `null` if the database does not know it. */
  country(ip: string): string | null
}

/** Opens the database and follows its updates. @throws Error if the file is no such database. */
export async function openGeography(path: string): Promise<Geography> {
  const reader = await open<CountryResponse>(path, {
    watchForUpdates: true,
    watchForUpdatesNonPersistent: true,
  })
  return {
    country(ip) {
      const found = reader.get(ip)
      return found?.country?.iso_code ?? found?.registered_country?.iso_code ?? null
    },
  }
}
