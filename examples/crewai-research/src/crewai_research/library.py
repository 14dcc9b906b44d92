"""The tool: the notes of a small library."""

from crewai.tools import tool

NOTES = {
    "bicycles": [
        "The running machine of 1817 had two wheels and no pedals.",
        "Pedals came to the front wheel in the 1860s.",
        "The safety bicycle of 1885 had two equal wheels and a chain.",
        "Air-filled tyres followed three years later.",
        "A rider on flat ground needs about a fifth of a walker's energy for the same way.",
    ],
    "glass": [
        "Glass beads were made in Mesopotamia 4,500 years ago.",
        "Glass blowing was found out on the coast of Syria in the first century BC.",
        "Venice moved its furnaces to the island of Murano in 1291, for fear of fire.",
        "Window panes have been floated on molten tin since the 1950s.",
    ],
    "lighthouses": [
        "The lighthouse of Alexandria was more than a hundred metres high.",
        "Fresnel's lens of 1822 threw a lamp's light beyond the horizon.",
        "The Eddystone lighthouse was built four times.",
        "Most lighthouses have had no keeper since the 1990s.",
    ],
    "tea": [
        "All tea comes from one plant, Camellia sinensis.",
        "Green tea is heated soon after picking; black tea is left to darken first.",
        "Tea reached Europe on Dutch ships in 1610.",
        "The tea bag was sold first in the 1900s.",
        "After water, nothing is drunk more often.",
    ],
}


@tool
def look_up(subject: str) -> str:
    """Gives the library's notes on a subject, one a line."""
    notes = NOTES.get(subject.lower())
    if notes is None:
        return f"There are no notes on {subject}, only on {', '.join(NOTES)}."
    return "\n".join(notes)
