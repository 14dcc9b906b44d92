export enum Mood {
  Fine = "fine",
}

function shout(_target: object, _key: string, property: PropertyDescriptor): void {
  const { value } = property;
  property.value = (...args: unknown[]) => String(value(...args)).toUpperCase();
}

export class Words {
  @shout
  say(mood: Mood): string {
    return `i am ${mood}`;
  }
}
