"""Words that names, places and remarks are made of; an underscore stands for a blank."""

FIRST_NAMES = """
    Aaron Abigail Adam Aisha Alan Alejandra Alice Amanda Amir Amy Ana Andre Andrea Angela Anna
    Anthony April Ariana Arthur Ashley Barbara Benjamin Beth Bethany Bianca Brandon Brenda Brian
    Bruce Caleb Carla Carlos Carmen Caroline Catherine Cecilia Chad Charles Charlotte Chloé Chris
    Christina Claire Claudia Colin Connor Craig Crystal Curtis Cynthia Dalia Daniel Darius David
    Dawn Deborah Denise Dennis Derek Diana Diego Donna Dorothy Douglas Dustin Dylan Edith Edward
    Eileen Elena Eli Elizabeth Emily Emma Eric Erika Esther Ethan Eva Evelyn Faith Felipe Fiona
    Frances Frank Gabriel Gail George Gina Glenn Grace Greg Hailey Hannah Harold Heather Helen
    Henry Holly Hugo Ian Ines Irene Isaac Isabel Ivan Jack Jacob Jada James Jamie Janet Jasmine
    Jason Jean Jeffrey Jenna Jeremy Jesse Jill Joan Joel John Jonathan José Joseph Joy Juan Judith
    Julia Justin Kara Karen Karl Kate Keith Kelly Kenneth Kevin Kim Kyle Lance Laura Lauren Leah
    Lee Leo Linda Lisa Logan Lori Lucas Lucy Luis Luke Lydia Malik Marco Margaret Maria Marie Mark
    Martha Martin Mary Matthew Maya Megan Melissa Michael Miguel Monica Nadia Nancy Naomi Natalie
    Nathan Nicole Noah Nora Oliver Olivia Omar Oscar Pamela Patrick Paul Paula Peter Philip Priya
    Rachel Ralph Raymond Rebecca Renée Ricardo Robert Robin Rosa Ruth Ryan Samuel Sandra Sara Scott
    Sean Sharon Shawn Sofia Søren Stephanie Steven Susan Tamara Tara Teresa Thomas Tina Todd Tyler
    Valerie Vanessa Victor Vincent Wanda Wayne Wendy William Xavier Yolanda Yusuf Zachary Zoë
"""
LAST_NAMES = """
    Adams Aguilar Alexander Allen Alvarez Anderson Andrews Arellano Armstrong Bailey Baker Barnes
    Bell Bennett Black Boyd Bradley Brooks Brown Bryant Burke Burns Butler Campbell Carlson Carr
    Carter Castillo Chang Chapman Chavez Chen Cho Clark Cohen Cole Collins Cook Cooper Cox Cruz
    Cunningham D'Angelo Daniels Davis Day Dean Delgado Diaz Dixon Dunn Edwards Ellis Evans Farmer
    Fernandez Fischer Fisher Fleming Flores Ford Foster Fox Franklin Freeman Garcia Gardner Gibson
    Gill Gomez Gonzalez Gordon Graham Grant Gray Green Griffin Gupta Hall Hamilton Hansen Harper
    Harrell Harris Hart Hayes Henderson Hernandez Hicks Hill Hoffman Holland Holmes Howard Hughes
    Hunt Hunter Ingram Jackson Jacobs James Jenkins Jensen Johnson Jones Jordan Kaplan Keller Kelly
    Kennedy Khan Kim King Klein Knight Lambert Lane Larson Lawson Le Lee Lewis Lin Little Long
    Lopez Lynch Marshall Martin Martinez Mason Matthews McCarthy McDonald Medina Mendez Meyer
    Miller Mills Mitchell Moore Morales Morgan Morris Muñoz Murphy Murray Myers Nelson Newman
    Nguyen Nichols Novak O'Brien O'Connor Olson Ortega Ortiz Owens Palmer Park Parker Patel
    Patterson Perez Perry Peters Peterson Phillips Pierce Porter Powell Price Ramirez Ramos Reed
    Reyes Reynolds Rice Richards Rivera Roberts Robinson Rodriguez Rogers Rojas Romero Rosen Ross
    Ruiz Russell Ryan Saldaña Sanchez Sanders Santiago Santos Schmidt Schneider Schultz Scott Shah
    Shaw Silva Simmons Simpson Singh Smith Snyder Soto Spencer Stein Stephens Stevens Stewart Stone
    Sullivan Tanaka Taylor Thomas Thompson Torres Tran Tucker Turner Valdez Vargas Vasquez Wagner
    Walker Wallace Walsh Wang Ward Warren Washington Watkins Watson Weaver Webb Weber Weiss Wells
    West Wheeler White Williams Wilson Wong Wood Woods Wright Wu Yang Young Zhang Zimmerman
"""
TREES = """
    Alder Ash Aspen Beech Birch Cedar Cherry Chestnut Church Court Dogwood Elm Forest Harbor Hazel
    Hickory Highland Lake Lincoln Locust Magnolia Main Maple Meadow Mill Mulberry Oak Old_Mill Park
    Pine Ridge River Spring Spruce Sycamore Walnut Washington Willow
"""
WAYS = ("Rd", "St", "Ave", "Ln", "Ct")
CITIES = """
    Agawam Akron Annapolis Ashland Avon Bel_Air Blacklick Bowie Bristol Canton Carlisle Catonsville
    Chicopee Clearwater Columbia Concord Coral_Springs Cranston Danville Dublin Dundalk East_Haven
    Easley Elyria Enfield Essex Fort_Mill Franklin Gastonia Glen_Allen Greer Hanover Henrico Hershey
    Holyoke Huntersville Kissimmee Lakeland Lancaster Laurel Lebanon Lorain Ludlow Manchester
    Mauldin Mechanicsville
    Medina Middletown Monroe New_Britain Ocoee Odenton Parma Pawtucket Peñasco
    Plant_City Powell Reynoldsburg Rock_Hill Sanford Severna_Park Short_Pump Simpsonville Towson
    Vernon Warwick Westerville Westlake Windsor Winter_Park Woonsocket York
"""
CLAUSES = """
    asked for a call back after five / water in the attic after the last storm /
    wants financing over ten years / both homeowners will be there / gate code is on the order /
    left a message with the neighbor / roof is about twenty years old / the dog is in the yard /
    price was the main concern / has two other quotes already / please text and do not call /
    gutters pull away on the north side / insurance claim is open / rescheduled because of rain /
    spouse decides about colors / parking only across the street / siding is cracked /
    referred by a cousin in the same street / prefers mornings / needs the estimate by email /
    windows on the second floor leak / was very friendly / seems to compare on price only /
    house is for sale next spring
"""
